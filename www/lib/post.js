// What a post is, in the data.

/** Posts have keys of this beginning. */
export const POSTS = "posts/";

/** Its text; undefined for anything else than a post. */
export const postText = (value) => (typeof value?.text === "string" ? value.text : undefined);

/** "3 posts", "1 post"; things that other programs keep are counted as entries. */
export function counted(keys, entries = keys.length) {
  const posts = new Set(keys.filter((key) => key.startsWith(POSTS))).size;
  const [count, what] = posts > 0 ? [posts, "post"] : [entries, keys.length > 0 ? "entry" : "private entry"];
  return `${count} ${count === 1 ? what : what.replace(/y$/, "ie").concat("s")}`;
}
