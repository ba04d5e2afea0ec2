// What came of all runs: JSON, a chart, and the tables on the screen.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Browser } from "./browser.mjs";
import { chart } from "./chart.mjs";
import { median } from "./median.mjs";
import { table, verdicts } from "./tables.mjs";

/** Writes OUT/NAME.json and OUT/NAME.svg and prints. `results`: system → its runs; `extra`: works that are only shown. */
export function publish(name, title, { out, systems, works, extra = [], results, about }) {
  const all = Object.values(results).flat();
  const keys = new Set(all.flatMap((result) => Object.keys(result)).filter((key) => key !== "failed"));
  const medians = Object.fromEntries(Object.entries(results).map(([system, list]) => [
    system,
    Object.fromEntries([...keys].map((key) => [key, median(list.map((result) => result[key]))])),
  ]));
  const machine = { cpu: os.cpus()[0]?.model, cores: os.cpus().length, browser: Browser.version, node: process.version, date: new Date().toISOString() };
  const packages = Object.keys(results).flatMap((system) => systems[system].packages ?? []);
  const versions = Object.fromEntries(packages.map((name) => [name, version(name)]));
  mkdirSync(out, { recursive: true });
  const file = (ending) => path.join(out, `${name}.${ending}`);
  writeFileSync(file("json"), `${JSON.stringify({ machine, versions, ...about, medians, results }, null, 1)}\n`);
  writeFileSync(file("svg"), chart(title, systems, medians, works));
  const shown = [table(systems, medians, works), verdicts(systems, medians, works)];
  if (extra.length > 0) shown.push(table(systems, medians, extra));
  console.log(`\n${shown.join("\n\n")}`);
  const loads = all.map(({ load }) => load);
  const [low, high] = [Math.min(...loads), Math.max(...loads)];
  console.log(`\nMedians of ${about.runs}, ms unless said otherwise; ${machine.browser}, ${machine.cores} × ${machine.cpu}, load ${low.toFixed(1)} to ${high.toFixed(1)}.`);
  for (const [system, list] of Object.entries(results)) {
    const failed = Object.assign({}, ...list.map((result) => result.failed));
    for (const [work, why] of Object.entries(failed)) console.log(`${systems[system].title}: ${work}: ${why}`);
  }
  console.log(`${file("json")}, ${file("svg")}`);
}

function version(name) {
  return JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
}
