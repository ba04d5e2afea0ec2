// The medians as bars, shorter is better, on a logarithmic scale: the systems lie three orders apart.

const COLOURS = { hypha: "#2f6f4f", yjs: "#c98a2b", automerge: "#a44a3f", loro: "#5b6fa8", hypercore: "#8a6fa0", "y-webrtc": "#d9b77a", bare: "#86867e", relaxed: "#b8b8b0", strict: "#86867e" };
const [WIDTH, LEFT, BAR, GAP, HEAD, RIGHT] = [900, 220, 13, 16, 20, 70];

/** An SVG document: every work with its value in every system. */
export function chart(title, systems, medians, works) {
  const named = ({ value }) => Object.entries(medians).map(([name, row]) => ({ name, title: systems[name].title, value: value(row) }));
  const groups = works.map((work) => ({ head: work.head, values: named(work).filter(({ value }) => value > 0) }));
  const all = groups.flatMap(({ values }) => values.map(({ value }) => value));
  const [low, high] = [10 ** Math.floor(Math.log10(Math.min(...all))), Math.max(...all)];
  const length = (value) => ((WIDTH - LEFT - RIGHT) * Math.log(value / low)) / Math.log(high / low);
  const parts = [];
  let y = 46;
  for (const { head, values } of groups) {
    parts.push(text(12, y + 12, head, 'font-weight="600"'));
    y += HEAD;
    for (const { name, title, value } of values) {
      parts.push(text(LEFT - 8, y + 10, title, 'text-anchor="end" fill="#555"'));
      parts.push(`<rect x="${LEFT}" y="${y}" width="${Math.max(1, length(value)).toFixed(1)}" height="${BAR - 3}" fill="${COLOURS[name]}"/>`);
      parts.push(text(LEFT + length(value) + 6, y + 10, value >= 100 ? value.toFixed(0) : value.toFixed(1), ""));
      y += BAR;
    }
    y += GAP;
  }
  const heading = text(12, 24, `${title}; shorter is better, logarithmic`, 'font-size="15" font-weight="600"');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="system-ui, sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
${[heading, ...parts].join("\n")}
</svg>
`;
}

function text(x, y, words, style) {
  const safe = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y}" ${style}>${safe}</text>`;
}
