/** The middle one; undefined of nothing. Of an even number the lower of the two. */
export function median(values) {
  const sorted = values.filter((value) => typeof value === "number").sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1];
}
