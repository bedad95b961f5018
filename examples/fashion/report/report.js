"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

// ---- small tools ------------------------------------------------------------------------------------------

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function shape(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const percent = (value, digits = 1) => (value === null ? "–" : (100 * value).toFixed(digits) + " %");
const fixed = (value, digits) => (value === null ? "–" : value.toFixed(digits));
const seconds = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)) + " s";
const thousands = (value) => Math.round(value).toLocaleString("en");
const rate = (value) => (value < 0.01 ? value.toExponential() : String(value));
const sureness = (value) => (value > 0.9995 ? "over 99.9 %" : percent(value));

const tip = document.getElementById("tip");
function showTip(event, text) {
  tip.textContent = text;
  tip.style.display = "block";
  const box = tip.getBoundingClientRect();
  const left = event.clientX + 14 + box.width > innerWidth ? event.clientX - box.width - 14 : event.clientX + 14;
  tip.style.left = Math.max(4, left) + "px";
  tip.style.top = Math.min(event.clientY + 14, innerHeight - box.height - 4) + "px";
}
function hideTip() { tip.style.display = "none"; }
function tipOn(node, text) {
  node.addEventListener("pointermove", (event) => showTip(event, text));
  node.addEventListener("pointerleave", hideTip);
}

function ticks(low, high, wanted, smallest = 0) {
  const raw = Math.max(smallest, (high - low) / Math.max(1, wanted));
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-9; value += step) found.push(value);
  return { values: found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

// Draws again whenever the width of its place changes.
function redrawn(place, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (place.clientWidth === width || place.clientWidth === 0) return;
    width = place.clientWidth;
    requestAnimationFrame(() => place.replaceChildren(draw(width)));
  }).observe(place);
}

// ---- line charts ------------------------------------------------------------------------------------------

// series: {name, color, points: [[x, y]...], faint, dots, hidden: not in the tooltip}
function lineChart(place, series, options) {
  series = series.filter((line) => line.points.length > 0);
  if (series.length === 0) {
    place.append(element("p", { class: "note" }, "Nothing was recorded."));
    return;
  }
  const legend = element("div", { class: "legend" });
  for (const line of series) {
    if (line.faint) continue;
    const mark = element("i");
    mark.style.background = line.color;
    legend.append(element("span", {}, mark, line.name));
  }
  const canvas = element("div", { class: "chart" });
  place.append(legend, canvas);
  const all = series.flatMap((line) => line.points);
  const lowX = options.lowX ?? Math.min(...all.map((p) => p[0]));
  const highX = Math.max(...all.map((p) => p[0]), lowX + 1e-9);
  const clipped = series.filter((line) => !line.faint).flatMap((line) => line.points.map((p) => p[1]));
  let lowY = Math.min(...clipped), highY = Math.max(...clipped);
  const margin = (highY - lowY || Math.abs(highY) || 1) * 0.06;
  lowY = Math.max(options.floor ?? -Infinity, lowY - margin);
  highY = Math.min(options.ceiling ?? Infinity, highY + margin);

  redrawn(canvas, (width) => {
    const height = 280, left = 54, right = 12, top = 8, bottom = 44;
    const x = (value) => left + ((value - lowX) / (highX - lowX)) * (width - left - right);
    const y = (value) => top + (1 - (value - lowY) / (highY - lowY)) * (height - top - bottom);
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": options.label });
    const clip = "clip-" + options.id;
    svg.append(shape("clipPath", { id: clip },
      shape("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom })));
    const rows = ticks(lowY, highY, 5);
    for (const value of rows.values) {
      svg.append(shape("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
      svg.append(shape("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, options.formatY(value, rows.digits)));
    }
    const columns = ticks(lowX, highX, Math.min(10, width / 70), 1);
    for (const value of columns.values) {
      svg.append(shape("text", { x: x(value), y: height - bottom + 18, "text-anchor": "middle" }, value.toFixed(columns.digits)));
    }
    svg.append(shape("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
    svg.append(shape("text", { class: "title", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, options.titleX));
    svg.append(shape("text", { class: "title", transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, options.titleY));
    for (const line of series) {
      const path = line.points.map((p, i) => (i === 0 ? "M" : "L") + x(p[0]).toFixed(1) + " " + y(p[1]).toFixed(1)).join("");
      const drawn = shape("path", { d: path, fill: "none", "stroke-width": line.faint ? 0.7 : 2, "stroke-linejoin": "round",
        opacity: line.faint ? 0.2 : 1, "clip-path": `url(#${clip})` });
      drawn.style.stroke = line.color;
      svg.append(drawn);
      if (!line.dots) continue;
      for (const p of line.points) {
        const dot = shape("circle", { cx: x(p[0]), cy: y(p[1]), r: 3.5 });
        dot.style.fill = line.color;
        svg.append(dot);
      }
    }
    const cross = shape("line", { class: "cross", y1: top, y2: height - bottom, visibility: "hidden" });
    const catcher = shape("rect", { x: left, y: top, width: Math.max(0, width - left - right), height: height - top - bottom, fill: "transparent" });
    catcher.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = lowX + ((event.clientX - box.left - left) / (width - left - right)) * (highX - lowX);
      const lines = [];
      let place = null;
      for (const line of series) {
        if (line.faint) continue;
        const near = line.points.reduce((best, p) => (Math.abs(p[0] - at) < Math.abs(best[0] - at) ? p : best));
        place ??= near[0];
        lines.push(`${line.name}: ${options.formatTip(near[1])}`);
      }
      cross.setAttribute("visibility", "visible");
      cross.setAttribute("x1", x(place));
      cross.setAttribute("x2", x(place));
      showTip(event, `${options.formatPlace(place)}\n${lines.join("\n")}`);
    });
    catcher.addEventListener("pointerleave", () => { cross.setAttribute("visibility", "hidden"); hideTip(); });
    svg.append(cross, catcher);
    return svg;
  });
}

function curves() {
  const perEpoch = data.stepsPerEpoch || 1;
  const raw = data.losses.map((loss, i) => [((i + 1) * data.lossStride) / perEpoch, loss]).filter((p) => p[1] !== null);
  const window = Math.max(1, Math.round(perEpoch / data.lossStride / 5));
  const smooth = [];
  let sum = 0;
  raw.forEach((p, i) => {
    sum += p[1];
    if (i >= window) sum -= raw[i - window][1];
    if (i + 1 >= window) smooth.push([p[0], sum / window]);
  });
  const known = (key) => data.epochs.filter((e) => e[key] !== null).map((e) => [e.epoch, e[key]]);
  lineChart(document.getElementById("loss"), [
    { name: "training, each step", color: "var(--first)", points: raw, faint: true },
    { name: `training, mean of ${window} steps`, color: "var(--first)", points: smooth },
    { name: "test", color: "var(--second)", points: known("testLoss"), dots: true },
  ], {
    id: "loss", label: "Loss over the epochs", titleX: "epoch", titleY: "cross entropy (nats)", lowX: 0, floor: 0,
    formatY: (v, digits) => v.toFixed(digits), formatTip: (v) => v.toFixed(4), formatPlace: (v) => `epoch ${v.toFixed(2)}`,
  });
  lineChart(document.getElementById("accuracy"), [
    { name: `training, ${thousands(data.trainAccuracyCount)} images`, color: "var(--first)", points: known("trainAccuracy"), dots: true },
    { name: "test", color: "var(--second)", points: known("testAccuracy"), dots: true },
  ], {
    id: "accuracy", label: "Accuracy over the epochs", titleX: "epoch", titleY: "accuracy", ceiling: 1,
    formatY: (v, digits) => (100 * v).toFixed(Math.max(0, digits - 2)) + " %", formatTip: (v) => percent(v, 2),
    formatPlace: (v) => `after epoch ${v}`,
  });
}

// ---- tiles and facts --------------------------------------------------------------------------------------

function tiles() {
  const place = document.getElementById("tiles");
  for (const { label, value, detail } of data.tiles) {
    place.append(element("div", { class: "card tile" }, element("div", { class: "label" }, label),
      element("div", { class: "value" }, value), element("div", { class: "detail" }, detail)));
  }
}

function facts(id, rows) {
  const body = element("tbody");
  for (const [name, value] of rows) body.append(element("tr", {}, element("td", {}, name), element("td", {}, value)));
  document.getElementById(id).append(element("table", { class: "facts" }, body));
}

function epochTable() {
  const place = document.getElementById("epochs");
  if (data.epochs.length === 0) {
    place.append(element("p", { class: "note" }, "No epoch was completed."));
    return;
  }
  const names = ["epoch", "training loss", "training accuracy", "test loss", "test accuracy", "samples/s", "time", "waited for data"];
  const head = element("tr", {}, ...names.map((name) => element("th", { class: "number" }, name)));
  const body = element("tbody");
  for (const e of data.epochs) {
    const cells = [e.epoch, fixed(e.trainLoss, 4), percent(e.trainAccuracy, 2), fixed(e.testLoss, 4),
      percent(e.testAccuracy, 2), thousands(e.samplesPerSecond), seconds(e.seconds), percent(e.waitShare, 2)];
    body.append(element("tr", {}, ...cells.map((cell) => element("td", { class: "number" }, String(cell)))));
  }
  place.append(element("table", {}, element("thead", {}, head), body));
}

// ---- experiments ------------------------------------------------------------------------------------------

// A shade of the first colour: the better the rank, the stronger.
function rankColor(rank, count) {
  const strength = count > 1 ? 1 - rank / (count - 1) : 1;
  return `color-mix(in srgb, var(--first) ${Math.round(35 + 65 * strength)}%, var(--faint))`;
}

const linked = new Map();
function link(key, node) {
  if (!linked.has(key)) linked.set(key, []);
  linked.get(key).push(node);
  node.addEventListener("pointerenter", () => linked.get(key).forEach((each) => each.classList.add("linked")));
  node.addEventListener("pointerleave", () => linked.get(key).forEach((each) => each.classList.remove("linked")));
}

function describe(run) {
  return `learning rate ${rate(run.learningRate)}, batch ${run.batchSize}, seed ${run.seed}`;
}

function experiments() {
  const section = document.getElementById("experiments");
  if (data.experiments.length === 0) { section.remove(); return; }
  const done = data.experiments.filter((run) => run.accuracy !== null);
  const ranked = done.slice().sort((a, b) => b.accuracy - a.accuracy || a.number - b.number);
  const rest = data.experiments.filter((run) => run.accuracy === null);
  const low = ranked.length ? ranked[ranked.length - 1].accuracy : 0;
  const high = ranked.length ? ranked[0].accuracy : 1;
  const rankOf = new Map(ranked.map((run, i) => [run.number, i]));

  const head = element("tr", {}, ...[["rank", 1], ["learning rate", 1], ["batch", 1], ["seed", 1], ["test accuracy", 1], ["", 0],
    ["test loss", 1], ["time", 1], ["thread", 1]].map(([name, number]) => element("th", number ? { class: "number" } : {}, name)));
  const body = element("tbody");
  ranked.concat(rest).forEach((run, i) => {
    const finished = run.accuracy !== null;
    const bar = element("span", { class: "bar" });
    if (finished) {
      bar.style.width = 24 + 96 * (high > low ? (run.accuracy - low) / (high - low) : 1) + "px";
      bar.style.background = rankColor(i, ranked.length);
    }
    const cell = (text) => element("td", { class: "number" }, text);
    const row = element("tr", {}, cell(finished ? String(i + 1) : "–"), cell(rate(run.learningRate)), cell(String(run.batchSize)),
      cell(String(run.seed)), cell(finished ? percent(run.accuracy, 2) : run.state), element("td", {}, finished ? bar : ""),
      cell(fixed(run.loss, 4)), cell(run.end === null ? "–" : seconds(run.end - run.start)), cell(run.thread === null ? "–" : String(run.thread)));
    link("run" + run.number, row);
    body.append(row);
  });
  document.getElementById("ranking").append(element("table", {}, element("thead", {}, head), body));

  const place = document.getElementById("timeline");
  const ran = data.experiments.filter((run) => run.start !== null && run.end !== null);
  if (ran.length === 0) { place.append(element("p", { class: "note" }, "None was started.")); return; }
  const threads = [...new Set(ran.map((run) => run.thread))].sort((a, b) => a - b);
  const end = Math.max(...ran.map((run) => run.end), 1e-6);
  redrawn(place, (width) => {
    const left = 70, right = 12, rowHeight = 40, bottom = 42;
    const height = threads.length * rowHeight + bottom;
    const x = (value) => left + (value / end) * (width - left - right);
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": "When each experiment ran on which thread" });
    const marks = ticks(0, end, Math.min(10, width / 80));
    for (const value of marks.values) {
      svg.append(shape("line", { class: "grid", x1: x(value), x2: x(value), y1: 0, y2: height - bottom }));
      svg.append(shape("text", { x: x(value), y: height - bottom + 18, "text-anchor": "middle" }, value.toFixed(marks.digits)));
    }
    svg.append(shape("text", { class: "title", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" },
      "seconds since the first experiment was submitted"));
    threads.forEach((thread, i) => {
      svg.append(shape("text", { x: left - 8, y: i * rowHeight + rowHeight / 2 + 4, "text-anchor": "end" }, "thread " + thread));
    });
    const bars = shape("g", { class: "bars" });
    for (const run of ran) {
      const row = threads.indexOf(run.thread);
      const wide = Math.max(2, x(run.end) - x(run.start));
      const rect = shape("rect", { x: x(run.start), y: row * rowHeight + 5, width: wide, height: rowHeight - 10, rx: 4 });
      rect.style.fill = rankOf.has(run.number) ? rankColor(rankOf.get(run.number), ranked.length) : "var(--warn)";
      const group = shape("g", {}, rect);
      const label = rankOf.has(run.number) ? "#" + (rankOf.get(run.number) + 1) : run.state;
      const long = `${label} · ${rate(run.learningRate)} · ${run.batchSize}`;
      const text = wide > 110 ? long : wide > 26 ? label : "";
      if (text) group.append(shape("text", { x: x(run.start) + 7, y: row * rowHeight + rowHeight / 2 + 4 }, text));
      tipOn(group, `${label}: ${describe(run)}\n${run.accuracy === null ? run.state : "test accuracy " + percent(run.accuracy, 2)}\n` +
        `${run.start.toFixed(2)} s to ${run.end.toFixed(2)} s on thread ${run.thread}`);
      link("run" + run.number, group);
      bars.append(group);
    }
    svg.append(bars);
    return svg;
  });
}

// ---- confusion matrix and mistakes ------------------------------------------------------------------------

function picture(sample) {
  const canvas = element("canvas", { width: data.imageCols, height: data.imageRows });
  const bytes = atob(sample.pixels);
  const context = canvas.getContext("2d");
  const image = context.createImageData(data.imageCols, data.imageRows);
  for (let i = 0; i < bytes.length; ++i) {
    const grey = bytes.charCodeAt(i);
    image.data.set([grey, grey, grey, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function gallery(samples, title) {
  const place = document.getElementById("mistakes");
  document.getElementById("mistakes-title").textContent = title;
  place.replaceChildren(...samples.map((sample) => {
    const caption = element("figcaption", {}, element("span", { class: "wrong" }, data.classes[sample.predicted]),
      element("br"), "is " + data.classes[sample.label], element("br"), element("span", { class: "sure" }, sureness(sample.confidence) + " sure"));
    const figure = element("figure", {}, picture(sample), caption);
    tipOn(figure, `test image ${sample.index}\npredicted ${data.classes[sample.predicted]} with probability ${sureness(sample.confidence)}\n` +
      `labelled ${data.classes[sample.label]}`);
    return figure;
  }));
}

const mostSure = () => gallery(data.mistakes.slice().sort((a, b) => b.confidence - a.confidence).slice(0, 24),
  "The surest mistakes");

function confusion() {
  const section = document.getElementById("confusion");
  if (data.confusion.length === 0) { section.remove(); return; }
  const count = data.classes.length;
  const totals = data.confusion.map((row) => row.reduce((a, b) => a + b, 0));
  const most = Math.max(1, ...data.confusion.flatMap((row, i) => row.filter((_, j) => i !== j)));
  const head = element("tr", {}, element("th"));
  for (const name of data.classes) head.append(element("th", { scope: "col" }, element("span", {}, name)));
  head.append(element("th", { scope: "col" }, element("span", {}, "recall")));
  const body = element("tbody");
  let chosen = null;
  for (let label = 0; label < count; ++label) {
    const row = element("tr", {}, element("th", { scope: "row" }, data.classes[label]));
    for (let predicted = 0; predicted < count; ++predicted) {
      const times = data.confusion[label][predicted];
      const right = label === predicted;
      const share = right ? times / Math.max(1, totals[label]) : Math.sqrt(times / most);
      const strength = times === 0 ? 0 : 0.08 + 0.87 * share;
      const button = element("button", { type: "button" }, times === 0 ? "" : String(times));
      button.style.background = times === 0 ? "var(--grid)" : `rgba(var(--${right ? "cell" : "miss"}), ${strength.toFixed(3)})`;
      if (strength > 0.6) button.classList.add("strong");
      const text = `${data.classes[label]}${right ? " recognised" : " taken for " + data.classes[predicted]}`;
      button.setAttribute("aria-label", `${text}: ${times}`);
      tipOn(button, `${text}\n${times} of ${totals[label]} (${percent(times / Math.max(1, totals[label]))})`);
      const samples = data.mistakes.filter((s) => s.label === label && s.predicted === predicted);
      if (samples.length > 0) {
        button.classList.add("open");
        button.addEventListener("click", () => {
          chosen?.classList.remove("chosen");
          if (chosen === button) { chosen = null; mostSure(); return; }
          chosen = button;
          button.classList.add("chosen");
          gallery(samples, `${data.classes[label]} taken for ${data.classes[predicted]}: ${samples.length} of ${times}`);
        });
      } else {
        button.tabIndex = -1;
      }
      row.append(element("td", {}, button));
    }
    row.append(element("td", { class: "recall" }, totals[label] ? percent(data.confusion[label][label] / totals[label]) : "–"));
    body.append(row);
  }
  const last = element("tr", {}, element("th", { scope: "row" }, "precision"));
  for (let predicted = 0; predicted < count; ++predicted) {
    const all = data.confusion.reduce((sum, row) => sum + row[predicted], 0);
    last.append(element("td", { class: "recall" }, all ? percent(data.confusion[predicted][predicted] / all) : "–"));
  }
  body.append(last);
  document.getElementById("matrix").append(element("table", {}, element("thead", {}, head), body));
  mostSure();
}

tiles();
curves();
epochTable();
experiments();
confusion();
facts("settings", data.settings);
facts("timing", data.timing);
facts("machine", data.machine);
