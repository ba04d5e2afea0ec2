// What stands in the middle of the page, by the end of its address: so "back" and a bookmark work as they do elsewhere.

const PLACES = { "": "diary", "#taken-away": "taken", "#passphrase": "passphrase", "#without-a-hub": "offline" };

/** The place that the address names; undefined for an anchor on the page. */
export const placeNow = () => PLACES[location.hash];

/** Goes to a place. */
export function go(place) {
  location.hash = Object.keys(PLACES).find((hash) => PLACES[hash] === place);
}
