"use strict";
// Asks for the state of the run every few seconds, and for the models when there are others.
(() => {
const MOST_FAILURES = 20, SECONDS = Number(document.documentElement.dataset.seconds), SVG = "http://www.w3.org/2000/svg";
let shown = null, pressed = false;
const drawn = new Map();

async function open(name) {
  const answer = await fetch(name, { cache: "no-cache" });
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
  return [await answer.json(), answer.headers.get("ETag")];
}

globalThis.explorerSource = {
  models: async () => {
    const [models, revision] = await open("models.json");
    shown = revision;
    return models;
  },
  curves: async () => (await open("curves.json"))[0],
};

/** Renews a part of the page if what it shows has changed. */
function renew(id, value, ...children) {
  const text = JSON.stringify(value);
  if (drawn.get(id) === text) return;
  drawn.set(id, text);
  explorerTools.at(id).replaceChildren(...children);
}

function drawCells({ cells, labels }) {
  const { make } = explorerTools, name = one => labels[one] ?? one;
  const datasets = [...new Set(cells.map(cell => cell.dataset))], methods = [...new Set(cells.map(cell => cell.method))];
  const told = new Map(cells.map(cell => [JSON.stringify([cell.dataset, cell.method]), cell]));
  const head = make("tr", {}, make("th", {}, "Method"), ...datasets.map(one => make("th", {}, name(one))));
  const rows = methods.map(method => make("tr", {}, make("th", {}, name(method)), ...datasets.map(dataset => {
    const cell = told.get(JSON.stringify([dataset, method]));
    return make("td", {}, cell ? `${cell.num_done} of ${cell.num_trials}${cell.num_failed ? `, ${cell.num_failed} failed` : ""}` : "");
  })));
  renew("watch-cells", cells, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
}

/** The losses of the models of a pack by step, small. */
function drawCurves(curves, steps) {
  const lines = Object.values(curves).map(points => points.filter(([, loss]) => loss !== null)).filter(points => points.length > 1);
  if (!lines.length) return [];
  const all = lines.flat().map(([, loss]) => loss), low = Math.min(...all), high = Math.max(...all);
  const picture = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 100 20", preserveAspectRatio: "none", role: "img", "aria-label": `Loss by step, ${explorerTools.format(low)} to ${explorerTools.format(high)}` })) picture.setAttribute(name, value);
  lines.forEach((points, number) => {
    const line = document.createElementNS(SVG, "polyline");
    line.setAttribute("points", points.map(([step, loss]) => `${100 * step / steps},${19 - 18 * (loss - low) / (high - low || 1)}`).join(" "));
    for (const [name, value] of Object.entries({ fill: "none", stroke: explorerTools.PALETTE[number % explorerTools.PALETTE.length], "stroke-width": "1", "vector-effect": "non-scaling-stroke" })) line.setAttribute(name, value);
    picture.append(line);
  });
  return [picture];
}

function drawAttempts({ attempts, drivers, saved }) {
  const { make } = explorerTools, hosts = [...new Set(attempts.map(each => each.host))].sort();
  const words = each => `${each.trials.length} ${each.trials.length === 1 ? "trial" : "trials"} at ${each.step.toLocaleString("en")} of ${each.steps.toLocaleString("en")}${each.doing ? `, ${each.doing}` : ""}, ${each.state}`;
  const machines = hosts.flatMap(host => [
    ...(host ? [make("h3", {}, host)] : []),
    ...attempts.filter(each => each.host === host).map(each => make("p", {}, each.label, ": ", words(each), ...drawCurves(each.curves, each.steps))),
  ]);
  const at = drivers.map(each => make("p", {}, `A driver is at work: ${each}`));
  renew("watch-attempts", [attempts, drivers, saved], ...(at.length ? at : [make("p", {}, `No driver is at work.${saved ? ` ${saved}.` : ""}`)]), ...machines);
}

function drawFailures({ failures }) {
  const { at, make } = explorerTools;
  at("watch-failures-title").textContent = `Failures: ${failures.length < MOST_FAILURES ? failures.length : `the latest ${MOST_FAILURES}`}`;
  const lines = failures.map(each => make("p", {}, make("code", {}, each.at), ` ${each.kind}, ${each.cause}, ${each.num_trials} ${each.num_trials === 1 ? "trial" : "trials"}: ${each.reason}`));
  renew("watch-failures", failures, ...(lines.length ? lines : [make("p", {}, "Nothing has failed.")]));
}

function say(words, trouble) {
  const { at } = explorerTools;
  if (words !== null && at("watch-line").textContent !== words) at("watch-line").textContent = words;
  at("watch-trouble").textContent = trouble;
  at("watch-trouble").hidden = !trouble;
}

/** Whether a change of the page would get in the reader's way. */
const isBusy = () => pressed || (document.activeElement?.closest("#filters") && document.activeElement.type === "number");

async function look() {
  try {
    const [told] = await open("status.json");
    say(told.line, told.trouble);
    if (told.cells) {
      document.title = `${told.study} · Teasel explorer`;
      document.querySelector("h1").textContent = told.study;
      explorerTools.at("watch-progress").value = told.share;
      drawCells(told);
      drawAttempts(told);
      drawFailures(told);
    }
    if (told.revision !== shown && !isBusy()) await refreshExplorer();
  } catch (error) {
    say(null, `${error.message}; this page asks again every ${SECONDS} s.`);
  }
}

async function keepLooking() {
  if (!document.hidden) await look();
  setTimeout(keepLooking, 1000 * SECONDS);
}

addEventListener("pointerdown", () => { pressed = true; });
for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, () => { pressed = false; });
addEventListener("DOMContentLoaded", () => explorerReady.finally(keepLooking));
})();
