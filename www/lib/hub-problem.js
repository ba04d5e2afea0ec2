// Judges the address of a hub before it is used.

/** Says what is wrong with the address of a hub, or "" if nothing is. */
export function hubProblem(text, hubs) {
  const plain = text.replace(/^[a-z0-9-]+\+(?=wss?:)/i, "");
  if (!/^wss?:\/\/[^\s/]/i.test(plain) || !URL.canParse(plain)) {
    return "The address of a hub starts with wss:// (or ws://) and a name, such as wss://hub.example.org";
  }
  const { protocol, hostname } = new URL(plain);
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  if (location.protocol === "https:" && protocol === "ws:" && !here) {
    return "This page came over https, so the browser only lets it use hubs that start with wss://";
  }
  return hubs.includes(text) ? "This hub is in the list already." : "";
}
