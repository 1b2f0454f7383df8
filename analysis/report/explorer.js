"use strict";
// One state says what is shown; every control changes it, and every view is drawn from it.
(() => {
const MOST_ROWS = 100, MOST_CHOSEN = 8, AXIS_WIDTH = 96, NARROW = 700;
const PALETTE = ["#3b6ea8", "#d1722e", "#3f8f5b", "#a8477a", "#8a6d3b", "#5b5fc7", "#2f8f9d", "#b9a12b", "#a63d1f", "#7d868f"];
const RAMP = ["#5566c8", "#3b8fc0", "#2fa98f", "#8fbf4e", "#e3b92f"], MISSING = "#9aa3ab";
const GROUPS = ["Model", "Training", "Scores"];
const at = id => document.getElementById(id);
const plain = text => text.replace(/</g, "‹").replace(/>/g, "›").replace(/&/g, "＆"); // plotly reads tags
const cut = (text, most) => text.length > most ? text.slice(0, most - 1) + "…" : text;
const format = number => Number.isFinite(number) ? String(Number(number.toPrecision(6))) : "";
const count = number => number.toLocaleString("en") + (number === 1 ? " model" : " models");
const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

let data, state, columns, cache, mask, selected, curves, quiet = false, listening = false;

/** Makes an element: properties, attributes with a hyphen, and children. */
function make(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) name.includes("-") ? made.setAttribute(name, value) : made[name] = value;
  made.append(...children);
  return made;
}

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// Columns

/** A column's numbers, with NaN where there is none, its extent, and a place below it for those. */
function read(name) {
  const column = columns.get(name), key = column.values[""] ? "" : state.kind;
  const id = JSON.stringify([name, key]);
  if (!cache.has(id)) {
    const numbers = Float64Array.from(column.values[key] ?? data.models, value => typeof value === "number" ? value : NaN);
    let low = Infinity, high = -Infinity, missing = false;
    for (const value of numbers) {
      if (value < low) low = value;
      if (value > high) high = value;
      if (Number.isNaN(value)) missing = true;
    }
    if (low > high) [low, high] = [0, 1];
    const below = low - 0.1 * (high - low || 1);
    const placed = missing ? numbers.map(value => Number.isNaN(value) ? below : value) : numbers;
    cache.set(id, { numbers, placed, low, high, below, missing });
  }
  return cache.get(id);
}

function show(name, place) {
  const column = columns.get(name), value = read(name).numbers[place];
  return !column.levels ? format(value) : column.levels[value] === "" && name !== "setting" ? "" : column.labels[value];
}

const varies = name => read(name).high > read(name).low;
const of = group => [...columns.values()].filter(column => column.group === group).map(column => column.name);

function describe(place) {
  const names = ["dataset", "method", "setting", "seed"].filter(name => columns.has(name));
  return names.map(name => (name === "seed" ? "seed " : "") + show(name, place)).join(", ");
}

/** Colours of every model by a column: numbers on a scale, and that scale. */
function paint(name) {
  const column = columns.get(name), { placed, low, high, below, missing } = read(name);
  if (column.levels) {
    const colours = column.levels.map((level, number) => column.colours?.[number] ?? (level === "" ? MISSING : PALETTE[number % PALETTE.length]));
    const steps = colours.flatMap((colour, number) => [[number / colours.length, colour], [(number + 1) / colours.length, colour]]);
    return { color: placed, colorscale: steps, cmin: -0.5, cmax: colours.length - 0.5, colours };
  }
  const least = missing ? below : low, top = high > low ? high : low + 1, start = missing ? (low - least) / (top - least) : 0;
  const scale = RAMP.map((colour, number) => [start + (1 - start) * number / (RAMP.length - 1), colour]);
  if (missing) scale.unshift([0, MISSING], [start / 2, MISSING], [start / 2, RAMP[0]]);
  return { color: placed, colorscale: scale, cmin: least, cmax: top };
}

// The state, and its place in the address

function start() {
  const narrow = innerWidth < NARROW, scores = of("Scores"), training = of("Training");
  const model = of("Model").filter(name => varies(name) && name !== "setting" && name !== "seed");
  const measured = [...scores, ...training].filter(varies), all = [...columns.keys()];
  const ranking = columns.has(data.ranking) ? data.ranking : measured[0] ?? scores[0] ?? training[0] ?? all[0];
  const axes = [...model.slice(0, narrow ? 2 : 6), ...measured.slice(0, narrow ? 3 : 6)];
  return {
    x: measured.find(name => name !== ranking) ?? all[0],
    y: ranking,
    colour: model.find(name => name === "method") ?? model[0] ?? "method",
    kind: data.kinds[0] ?? "mean",
    axes: axes.length > 1 ? axes : [...new Set([...axes, "method", "seed", ranking])],
    filters: {},
    sort: [ranking, true],
    chosen: [],
  };
}

/** Takes from an address what fits these models; the rest stays as it is at the start. */
function restore() {
  state = start();
  let given = {};
  try { given = JSON.parse(decodeURIComponent(location.hash.slice(1)) || "{}") ?? {}; } catch { /* another page's */ }
  const places = new Set(data.models), known = name => typeof name === "string" && columns.has(name);
  for (const name of ["x", "y", "colour"]) if (known(given[name])) state[name] = given[name];
  if (data.kinds.includes(given.kind)) state.kind = given.kind;
  if (Array.isArray(given.axes) && given.axes.filter(known).length > 1) state.axes = [...new Set(given.axes.filter(known))];
  if (Array.isArray(given.sort) && known(given.sort[0])) state.sort = [given.sort[0], !!given.sort[1]];
  if (Array.isArray(given.chosen)) state.chosen = given.chosen.filter(id => places.has(id)).slice(0, MOST_CHOSEN);
  for (const [name, filter] of Object.entries(given.filters ?? {})) {
    if (!known(name)) continue;
    if (columns.get(name).levels ? Array.isArray(filter?.levels) : Array.isArray(filter?.range)) state.filters[name] = filter;
  }
}

function keep() {
  const first = start(), changed = Object.entries(state).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(first[name]));
  const text = changed.length ? "#" + encodeURIComponent(JSON.stringify(Object.fromEntries(changed))) : location.pathname.split("/").pop();
  history.replaceState(null, "", text);
}

function select() {
  mask = new Uint8Array(data.models.length).fill(1);
  for (const [name, filter] of Object.entries(state.filters)) {
    const { numbers, placed, low, high } = read(name);
    if (filter.levels) {
      const wanted = columns.get(name).levels.map(level => filter.levels.includes(level));
      for (let place = 0; place < mask.length; place++) if (!wanted[numbers[place]]) mask[place] = 0;
    } else {
      const [from, to] = [filter.range[0] ?? low, filter.range[1] ?? high];
      for (let place = 0; place < mask.length; place++) if (!(placed[place] >= from && placed[place] <= to)) mask[place] = 0;
    }
  }
  selected = [];
  for (let place = 0; place < mask.length; place++) if (mask[place]) selected.push(place);
}

// Filters

/** Sets or takes away filters, and renews what they act on but for the view they came from. */
function filter(changes, source = "") {
  for (const [name, value] of Object.entries(changes)) {
    const empty = !value || (value.levels ? value.levels.length === columns.get(name).levels.length : value.range.every(end => end === null) && source !== "form");
    if (empty) delete state.filters[name]; else state.filters[name] = value;
  }
  const added = Object.keys(state.filters).filter(name => !state.axes.includes(name));
  state.axes.push(...added);
  select();
  if (added.length || source !== "axes") drawAxes();
  if (added.length) drawAxesChoice();
  if (source !== "form") drawFilters();
  markDots();
  drawTable();
  drawCount();
  keep();
}

function drawFilters() {
  at("filters").replaceChildren(...Object.entries(state.filters).map(([name, given]) => {
    const column = columns.get(name), { low, high } = read(name), box = make("fieldset", {}, make("legend", {}, column.label));
    if (column.levels) {
      const boxes = column.levels.map((level, number) => make("input", { type: "checkbox", checked: given.levels.includes(level), value: String(number) }));
      const changed = () => filter({ [name]: { levels: column.levels.filter((_, number) => boxes[number].checked) } }, "form");
      boxes.forEach(each => each.addEventListener("change", changed));
      box.append(make("div", { className: "choices" }, ...boxes.map((each, number) => make("label", {}, each, " ", column.labels[number]))));
    } else {
      const ends = given.range.map((end, number) => make("input", { type: "number", step: "any", value: end === null ? "" : format(end), placeholder: format(number ? high : low) }));
      const changed = () => filter({ [name]: { range: ends.map(end => end.value === "" ? null : Number(end.value)) } }, "form");
      ends.forEach(each => each.addEventListener("change", changed));
      box.append(make("div", { className: "controls" }, make("label", {}, "from ", ends[0]), make("label", {}, "to ", ends[1])));
    }
    const remove = make("button", { type: "button", "aria-label": `Remove the filter of ${column.label}` }, "Remove");
    remove.addEventListener("click", () => { filter({ [name]: null }); at("filter-column").focus(); });
    box.append(remove);
    return box;
  }));
  at("filter-clear").disabled = !Object.keys(state.filters).length;
}

function drawCount() {
  const all = data.models.length;
  at("count").textContent = selected.length === all ? `${count(all)}; no filter leaves one out.` : `${selected.length.toLocaleString("en")} of ${count(all)} selected.`;
}

// Plots

const layout = more => ({
  paper_bgcolor: style("--paper"), plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, autosize: true,
  modebar: { bgcolor: "rgba(0,0,0,0)", color: style("--soft"), activecolor: style("--accent") },
  font: { family: style("--sans"), size: 12, color: style("--ink") }, ...more,
});
// Plotly's own bar has a button that sends the models to a server.
const CONFIG = { displaylogo: false, responsive: true, showSendToCloud: false, plotlyServerURL: "", modeBarButtons: [["select2d", "zoom2d", "pan2d", "resetScale2d"]] };

function ticks(column) {
  const every = Math.ceil(column.levels.length / 24), places = column.levels.map((_, number) => number).filter(number => number % every === 0);
  return { tickvals: places, ticktext: places.map(number => plain(cut(column.labels[number], 18))) };
}

/** What a filter is on an axis: the stretches of it that are selected. */
function stretches(name) {
  const column = columns.get(name), given = state.filters[name];
  if (!given) return undefined;
  const { low, high } = read(name);
  if (!column.levels) return [given.range[0] ?? low, given.range[1] ?? high];
  const found = [];
  column.levels.forEach((level, number) => {
    if (!given.levels.includes(level)) return;
    if (found.length && found.at(-1)[1] > number - 1) found.at(-1)[1] = number + 0.4;
    else found.push([number - 0.4, number + 0.4]);
  });
  return found.length ? found : [-9, -8];
}

function axis(name) {
  const column = columns.get(name), { placed, low, high, below, missing } = read(name);
  const range = column.levels ? [-0.5, column.levels.length - 0.5] : high > low ? [missing ? below : low, high] : [low - 1, high + 1];
  const shown = { name, label: plain(cut(column.label, 20)), values: placed, range, multiselect: !!column.levels, constraintrange: stretches(name) };
  if (column.levels) return { ...shown, ...ticks(column) };
  if (!missing || high === low) return { ...shown, tickformat: "~g" };
  const places = [0, 0.25, 0.5, 0.75, 1].map(share => Number((low + share * (high - low)).toPrecision(3)));
  return { ...shown, tickvals: [below, ...places], ticktext: ["none", ...places.map(format)] };
}

function drawAxes() {
  quiet = true;
  const { color, colorscale, cmin, cmax } = paint(state.colour), room = at("axes").parentElement.clientWidth;
  const trace = {
    type: "parcoords", dimensions: state.axes.map(axis), labelangle: -18, labelside: "top",
    line: { color, colorscale, cmin, cmax }, unselected: { line: { color: style("--soft"), opacity: 0.06 } },
    labelfont: { size: 12 }, tickfont: { size: 10 }, rangefont: { size: 1, color: "rgba(0,0,0,0)" },
  };
  const width = Math.max(room, AXIS_WIDTH * (state.axes.length - 1) + 180);
  return Plotly.react("axes", [trace], layout({ autosize: false, width, height: 420, margin: { l: 120, r: 60, t: 90, b: 20 } }), { ...CONFIG, responsive: false, displayModeBar: false })
    .finally(() => { quiet = false; });
}

/** Takes over the brushes and the order of the axes. */
function brushed() {
  if (quiet) return;
  const shown = at("axes").data[0].dimensions, changes = {};
  state.axes = shown.map(one => one.name);
  for (const { name, constraintrange } of shown) {
    const column = columns.get(name), given = constraintrange?.length ? [constraintrange].flat(Array.isArray(constraintrange[0]) ? 1 : 0) : null;
    if (!given) changes[name] = null;
    else if (column.levels) changes[name] = { levels: column.levels.filter((_, number) => given.some(([from, to]) => from <= number && number <= to)) };
    else changes[name] = { range: given[0].map(end => Number(end.toPrecision(6))) };
    if (JSON.stringify(stretches(name)) === JSON.stringify(constraintrange)) delete changes[name];
  }
  filter(changes, "axes");
}

/** Where the dots stand; those of a level are strewn about it, the same way every time. */
function spread(name, salt) {
  const { numbers } = read(name);
  if (!columns.get(name).levels) return numbers;
  return numbers.map((value, place) => value + 0.5 * (((place + 1) * salt) % 1 - 0.5));
}

function drawDots() {
  const [across, up] = [spread(state.x, 0.6180339887), spread(state.y, 0.7548776662)];
  const { color, colorscale, cmin, cmax, colours } = paint(state.colour);
  const title = name => ({ title: { text: plain(cut(columns.get(name).label, 50)) }, gridcolor: style("--line"), zeroline: false, automargin: true, ...(columns.get(name).levels ? ticks(columns.get(name)) : {}) });
  const names = [...new Set([state.x, state.y, state.colour])];
  const words = place => plain([describe(place), ...names.map(name => `${columns.get(name).label}: ${show(name, place) || "none"}`)].map(line => cut(line, 90)).join("\n")).replace(/\n/g, "<br>");
  const size = data.models.length > 3000 ? 5 : data.models.length > 300 ? 7 : 9;
  const dots = {
    type: "scattergl", mode: "markers", x: across, y: up, text: data.models.map((_, place) => words(place)), hovertemplate: "%{text}<extra></extra>",
    marker: { color, colorscale, cmin, cmax, size, opacity: 0.8 }, selectedpoints: selected.length < mask.length ? selected : null,
    selected: { marker: { opacity: 0.85 } }, unselected: { marker: { opacity: 0.05 } },
  };
  const rings = { type: "scattergl", mode: "markers", hoverinfo: "skip", marker: { symbol: "circle-open", size: size + 8, color: style("--ink"), line: { width: 2 } }, ...ringed(), selectedpoints: null };
  const missing = data.models.filter((_, place) => Number.isNaN(across[place] + up[place])).length;
  at("dots-note").textContent = missing ? `${count(missing)} ${missing === 1 ? "lacks" : "lack"} one of the two numbers, and ${missing === 1 ? "has" : "have"} no dot.` : "";
  drawLegend(colours);
  const margin = { l: 60, r: 16, t: 30, b: 50 };
  return Plotly.react("dots", [dots, rings], layout({ xaxis: title(state.x), yaxis: title(state.y), uirevision: `${state.x} ${state.y}`, dragmode: "select", hovermode: "closest", margin, selections: [] }), CONFIG);
}

function ringed() {
  const places = state.chosen.map(id => data.models.indexOf(id)), pick = (name, salt) => { const all = spread(name, salt); return places.map(place => all[place]); };
  return { x: pick(state.x, 0.6180339887), y: pick(state.y, 0.7548776662) };
}

const markDots = () => Plotly.restyle("dots", { selectedpoints: [selected.length < mask.length ? selected : null] }, [0]);

function drawLegend(colours) {
  const column = columns.get(state.colour), { low, high, missing } = read(state.colour), swatch = colour => { const made = make("span", { className: "swatch" }); made.style.background = colour; return made; };
  if (colours) {
    const shown = column.labels.slice(0, 24).map((label, number) => make("span", {}, swatch(colours[number]), label));
    at("legend").replaceChildren(make("strong", {}, column.label), ...shown, ...(column.labels.length > 24 ? [`and ${column.labels.length - 24} more`] : []));
  } else {
    const ramp = make("span", { className: "ramp" });
    ramp.style.background = `linear-gradient(90deg, ${RAMP.join(", ")})`;
    at("legend").replaceChildren(make("strong", {}, column.label), format(low), ramp, format(high), ...(missing ? [make("span", {}, swatch(MISSING), "none")] : []));
  }
}

// The table

function drawTable() {
  const names = [...new Set([...["dataset", "method", "setting", "seed"].filter(name => varies(name) || name === "seed" || name === "method"), state.y, state.x, state.colour, ...state.axes])];
  const [by, down] = state.sort, { numbers } = read(by), sign = down ? -1 : 1;
  const compare = (one, other) => {
    const [a, b] = [numbers[one], numbers[other]], lacking = Number.isNaN(a) - Number.isNaN(b);
    return lacking || (Number.isNaN(a) ? 0 : sign * (a - b)) || one - other;
  };
  const rows = [...selected].sort(compare).slice(0, MOST_ROWS);
  const heads = names.map(name => {
    const column = columns.get(name), head = make("th", { title: column.label }, make("button", { type: "button" }, cut(column.label, 26)));
    if (!column.levels) head.className = "number";
    if (name === by) head.setAttribute("aria-sort", down ? "descending" : "ascending");
    head.firstChild.addEventListener("click", () => {
      state.sort = [name, name === by ? !down : true];
      drawTable();
      keep();
      [...at("table").querySelectorAll("th button")][names.indexOf(name)]?.focus({ preventScroll: true });
    });
    return head;
  });
  const body = make("tbody", {}, ...rows.map(place => {
    const id = data.models[place], box = make("input", { type: "checkbox", checked: state.chosen.includes(id), "aria-label": `Show ${describe(place)}` });
    box.dataset.trial = id;
    const cells = names.map(name => make("td", { className: columns.get(name).levels ? "" : "number", title: show(name, place) }, show(name, place) || "–"));
    const row = make("tr", { className: box.checked ? "chosen" : "" }, make("td", {}, box), ...cells);
    row.addEventListener("click", () => choose(id));
    return row;
  }));
  at("table").replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, make("th", {}, "Show"), ...heads)), body));
  at("shown").textContent = rows.length < selected.length ? `The first ${rows.length} of ${selected.length.toLocaleString("en")} selected models.` : `${count(selected.length)} selected.`;
}

function writeCsv() {
  const names = [...columns.keys()], quote = text => /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  const cell = (name, place) => {
    const { levels } = columns.get(name), number = read(name).numbers[place];
    return levels ? quote(levels[number]) : Number.isNaN(number) ? "" : String(number);
  };
  const lines = [["trial_id", ...names].map(quote), ...selected.map(place => [quote(data.models[place]), ...names.map(name => cell(name, place))])];
  return lines.map(line => line.join(",")).join("\r\n") + "\r\n";
}

// Chosen models

function choose(id) {
  const focused = document.activeElement?.dataset?.trial;
  state.chosen = state.chosen.includes(id) ? state.chosen.filter(one => one !== id) : [id, ...state.chosen].slice(0, MOST_CHOSEN);
  drawTable();
  if (focused) [...at("table").querySelectorAll("input")].find(box => box.dataset.trial === focused)?.focus({ preventScroll: true });
  drawChosen();
  const { x, y } = ringed();
  Plotly.restyle("dots", { x: [x], y: [y] }, [1]);
  keep();
}

function drawChosen() {
  const places = state.chosen.map(id => data.models.indexOf(id));
  const opened = new Set([...at("chosen").querySelectorAll("details[open]")].map(each => each.dataset.trial));
  at("chosen-note").textContent = places.length ? `${count(places.length)}, at most ${MOST_CHOSEN}.` : "No model is chosen. Click a dot or a row of the table.";
  at("chosen-clear").hidden = !places.length;
  at("chosen").replaceChildren(...places.map((place, number) => {
    const swatch = make("span", { className: "swatch" }), pictures = data.pictures[place] ?? [];
    swatch.style.background = PALETTE[number];
    const values = [...columns.keys()].map(name => make("div", {}, make("dt", {}, columns.get(name).label), make("dd", {}, show(name, place) || "–")));
    const figures = pictures.map(([kind, source]) => make("figure", {}, make("img", { src: encodeURI(source), alt: `${kind} of ${describe(place)}`, loading: "lazy" }), make("figcaption", {}, kind[0].toUpperCase() + kind.slice(1))));
    const words = Object.keys(data.pictures).length ? "There are no pictures of this model beside this page." : "No pictures of these models are stored.";
    return make("article", { className: "model" },
      make("h3", {}, swatch, describe(place)), make("p", { className: "note" }, "Trial ", make("code", {}, data.models[place])),
      pictures.length ? make("div", { className: "pictures" }, ...figures) : make("p", { className: "note" }, words),
      make("details", { open: opened.has(data.models[place]), "data-trial": data.models[place] }, make("summary", {}, "All numbers"), make("dl", {}, ...values)));
  }));
  return drawCurves(places);
}

/** Where models and curves come from: the folder beside the page, or what a page that is served says. */
const source = globalThis.explorerSource ?? {
  models: () => unpack(globalThis.explorerData),
  curves: () => new Promise((done, failed) => {
    const files = encodeURIComponent(document.documentElement.dataset.files);
    const script = make("script", { src: `${files}/explorer-curves.js`, onerror: failed });
    script.onload = () => done(unpack(globalThis.explorerCurves));
    document.head.append(script);
  }),
};
/** Loads the training curves, once a model is chosen. */
const loadCurves = () => curves ??= source.curves();

async function drawCurves(places) {
  const box = at("curves");
  if (!places.length) return box.replaceChildren();
  if (!data.curves) return box.replaceChildren(make("p", { className: "note" }, "No training curves are stored."));
  const { terms, steps, models } = await loadCurves();
  if (places.join() !== state.chosen.map(id => data.models.indexOf(id)).join()) return undefined; // chosen anew meanwhile
  const drawn = terms.map((term, number) => {
    const lines = places.flatMap((place, order) => models[place] ? [{ type: "scatter", mode: "lines", x: steps[models[place][0]], y: models[place][number + 1], line: { color: PALETTE[order], width: 1.8 }, name: plain(cut(describe(place), 40)), hovertemplate: "%{y:.4g}<extra></extra>" }] : []);
    return [make("div", { role: "img", "aria-label": `${term} by step of the chosen models` }), lines, term];
  });
  box.replaceChildren(...drawn.map(([place]) => place));
  const grid = { gridcolor: style("--line"), zeroline: false, automargin: true };
  return Promise.all(drawn.map(([place, lines, term]) => Plotly.newPlot(place, lines, layout({ title: { text: plain(cut(term, 40)), font: { size: 13 }, x: 0.02 }, xaxis: { ...grid, title: { text: "step" } }, yaxis: grid, margin: { l: 50, r: 12, t: 34, b: 40 } }), { ...CONFIG, displayModeBar: false })));
}

// Controls

function drawControls() {
  const options = () => GROUPS.filter(group => of(group).length).map(group => make("optgroup", { label: group }, ...of(group).map(name => make("option", { value: name }, cut(columns.get(name).label, 60)))));
  for (const id of ["x", "y", "colour", "filter-column"]) at(id).replaceChildren(...options());
  for (const id of ["x", "y", "colour"]) at(id).value = state[id];
  at("kind").replaceChildren(...data.kinds.map(kind => make("option", { value: kind }, kind)));
  at("kind").value = state.kind;
  at("kind-choice").hidden = data.kinds.length < 2;
  const words = data.kinds.length ? "" : "No model has a score yet.";
  at("notice").textContent = words;
  at("notice").hidden = !words;
  drawAxesChoice();
}

function drawAxesChoice() {
  const boxes = GROUPS.flatMap(group => of(group).length ? [make("h3", {}, group), make("div", { className: "choices" }, ...of(group).map(name => {
    const box = make("input", { type: "checkbox", checked: state.axes.includes(name) });
    box.addEventListener("change", () => {
      state.axes = box.checked ? [...state.axes, name] : state.axes.filter(one => one !== name);
      if (!box.checked && state.filters[name]) filter({ [name]: null }); else { drawAxes(); drawTable(); keep(); }
    });
    return make("label", {}, box, " ", columns.get(name).label);
  }))] : []);
  at("axes-choice").replaceChildren(at("axes-choice").firstElementChild, ...boxes);
}

async function drawAll() {
  select();
  drawControls();
  drawFilters();
  drawCount();
  drawTable();
  await Promise.all([drawAxes(), drawDots(), drawChosen()]);
}

/** Takes the models that there are now; a page that is served calls this when there are others. */
async function load() {
  const given = await source.models();
  document.querySelector("main").hidden = !given;
  if (!given) {
    at("count").textContent = "No model is done yet.";
    return;
  }
  data = given;
  columns = new Map(data.columns.map(column => [column.name, column]));
  [cache, curves, state] = [new Map(), undefined, { kind: data.kinds[0] ?? "mean" }];
  restore();
  await drawAll();
  if (!listening) listen();
}

function listen() {
  listening = true;
  for (const id of ["x", "y", "colour"]) at(id).addEventListener("change", () => { state[id] = at(id).value; drawDots(); if (id === "colour") drawAxes(); drawTable(); keep(); });
  at("kind").addEventListener("change", () => { state.kind = at("kind").value; drawAll(); keep(); });
  at("filter-add").addEventListener("click", () => {
    const name = at("filter-column").value, column = columns.get(name);
    if (state.filters[name]) return;
    state.filters[name] = column.levels ? { levels: [...column.levels] } : { range: [null, null] };
    drawFilters();
    at("filters").lastElementChild.querySelector("input").focus();
  });
  at("filter-clear").addEventListener("click", () => filter(Object.fromEntries(Object.keys(state.filters).map(name => [name, null]))));
  at("chosen-clear").addEventListener("click", () => { for (const id of [...state.chosen]) choose(id); });
  at("csv").addEventListener("click", () => {
    const link = make("a", { href: URL.createObjectURL(new Blob([writeCsv()], { type: "text/csv" })), download: "selected.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  at("axes").on("plotly_restyle", brushed);
  at("dots").on("plotly_click", event => { const { curveNumber, pointNumber } = event.points[0]; if (curveNumber === 0) choose(data.models[pointNumber]); });
  at("dots").on("plotly_selected", event => {
    if (!event?.range) return;
    const stretch = (name, ends) => {
      const [from, to] = [Math.min(...ends), Math.max(...ends)], { levels } = columns.get(name);
      return levels ? { levels: levels.filter((_, number) => from <= number + 0.25 && number - 0.25 <= to) } : { range: [from, to].map(end => Number(end.toPrecision(6))) };
    };
    filter({ [state.x]: stretch(state.x, event.range.x), [state.y]: stretch(state.y, event.range.y) });
    Plotly.relayout("dots", { selections: [] });
  });
  at("dots").on("plotly_deselect", () => filter({ [state.x]: null, [state.y]: null }));
  addEventListener("hashchange", () => { restore(); drawAll(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  let waiting, width = innerWidth;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => { if (innerWidth !== width) drawAxes(); width = innerWidth; }, 200); });
}

Object.assign(globalThis, { refreshExplorer: load, explorerTools: { at, make, format, PALETTE } });
globalThis.explorerReady = load().catch(error => {
  at("count").textContent = "The models could not be read.";
  at("notice").textContent = `${error}. This page needs the folder beside it, as the report wrote it, and a browser of 2023 or later.`;
  at("notice").hidden = false;
});
})();
