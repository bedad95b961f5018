"use strict";

const side = 28;
const scale = 10;
const element = (id) => document.getElementById(id);
const drawing = element("drawing");
const pen = drawing.getContext("2d", { willReadFrequently: true });
let classes = [];

function clear() {
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, drawing.width, drawing.height);
}

function show(pixels, canvas, size) {
  const context = canvas.getContext("2d");
  pixels.forEach((value, index) => {
    context.fillStyle = `rgb(${value},${value},${value})`;
    context.fillRect((index % side) * size, Math.floor(index / side) * size, size, size);
  });
}

// The drawing as the network takes it: the mean of each square.
function pixelsOfDrawing() {
  const data = pen.getImageData(0, 0, drawing.width, drawing.height).data;
  const sums = new Array(side * side).fill(0);
  for (let y = 0; y < drawing.height; ++y) {
    for (let x = 0; x < drawing.width; ++x) {
      sums[Math.floor(y / scale) * side + Math.floor(x / scale)] += data[4 * (y * drawing.width + x)];
    }
  }
  return sums.map((sum) => Math.round(sum / (scale * scale)));
}

async function ask(pixels) {
  const response = await fetch("predict", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ input: pixels }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer.output;
}

function fill(table, rows) {
  table.replaceChildren(...rows.map(([name, text, share]) => {
    const row = document.createElement("tr");
    const bar = document.createElement("span");
    bar.className = "bar";
    bar.style.width = `${(120 * share).toFixed(0)}px`;
    for (const content of [name, text, bar]) {
      const cell = document.createElement("td");
      cell.append(content);
      row.append(cell);
    }
    return row;
  }));
}

async function showBatches() {
  const stats = (await (await fetch("v2/models/fashion/stats")).json()).model_stats[0];
  const most = Math.max(1, ...stats.batch_sizes.map((each) => each.count));
  fill(element("batches"), stats.batch_sizes.map((each) => [each.requests, each.count, each.count / most]));
}

async function predict(pixels) {
  const begin = performance.now();
  try {
    const shares = await ask(pixels);
    element("latency").textContent = `${(performance.now() - begin).toFixed(1)} ms`;
    fill(element("probabilities"), shares.map((share, i) => [classes[i], `${(100 * share).toFixed(1)} %`, share]));
    element("answer").textContent = classes[shares.indexOf(Math.max(...shares))];
    await showBatches();
  } catch (failure) {
    element("answer").textContent = failure.message;
  }
}

function place(event) {
  const box = drawing.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

let last = null;
drawing.addEventListener("pointerdown", (event) => {
  drawing.setPointerCapture(event.pointerId);
  last = place(event);
});
drawing.addEventListener("pointermove", (event) => {
  if (last === null) return;
  const next = place(event);
  pen.strokeStyle = "#ddd";
  pen.lineWidth = 24;
  pen.lineCap = "round";
  pen.beginPath();
  pen.moveTo(...last);
  pen.lineTo(...next);
  pen.stroke();
  last = next;
});
drawing.addEventListener("pointerup", () => {
  last = null;
  predict(pixelsOfDrawing());
});
element("clear").addEventListener("click", clear);
element("many").addEventListener("click", async () => {
  const pixels = pixelsOfDrawing();
  await Promise.all(Array.from({ length: 200 }, () => ask(pixels)));
  await showBatches();
});

async function start() {
  clear();
  const given = await (await fetch("samples.json")).json();
  classes = given.classes;
  given.samples.forEach((sample) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    canvas.title = classes[sample.label];
    show(sample.pixels, canvas, 1);
    canvas.addEventListener("click", () => {
      show(sample.pixels, drawing, scale);
      predict(sample.pixels);
    });
    element("samples").append(canvas);
  });
  await showBatches();
}

start();
