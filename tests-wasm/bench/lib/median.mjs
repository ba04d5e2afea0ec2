/** The middle one; undefined of nothing. Of an even number the lower of the two. */
export const median = (values) => percentile(values, 0.5);

/** The least that so large a share of them does not exceed. */
export function percentile(values, share) {
  const sorted = values.filter((value) => typeof value === "number" && !Number.isNaN(value)).sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}
