// What a post is, in the data.

/** Posts have keys of this beginning. */
export const POSTS = "posts/";

/** Its text; undefined for anything else than a post. */
export const postText = (value) => (typeof value?.text === "string" ? value.text : undefined);
