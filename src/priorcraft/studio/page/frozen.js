// @ts-check
/** The one offline page: a map to walk on, samples, and a classifier to draw for. Bundled with the libraries it uses. */
import { bars } from "./lib/charts.js";
import { button, el, fill, percent, say } from "./lib/dom.js";
import { bytesOf, paint, picture, pictures } from "./lib/images.js";
import { Pad } from "./lib/pad.js";
import { posterior } from "./lib/probability.js";

const DOTS = ["#4e79a7", "#e15759", "#59a14f", "#b07aa1", "#f28e2b", "#17a2b8", "#c2a000", "#9c755f", "#d37295", "#79706e"];
const { message, words } = JSON.parse(/** @type {any} */ (document.getElementById("frozen")).textContent);
const language = navigator.language.startsWith("ko") ? "ko" : "en";
document.documentElement.lang = language;
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";

/** @param {string} key @param {Record<string, string | number>} [values] */
const t = (key, values = {}) => words[language][key].replace(/\{(\w+)\}/g, (/** @type {string} */ whole, /** @type {string} */ name) => String(values[name] ?? whole));

const { values, arrays } = opened(Uint8Array.from(atob(message), (c) => c.charCodeAt(0)));
const [channels, height, width] = values.shape;

/** @param {Uint8Array} bytes @returns {{values: any, arrays: Record<string, any>}} */
function opened(bytes) {
  const length = new DataView(bytes.buffer).getUint32(4, true), head = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  /** @type {Record<string, any>} */
  const found = {};
  let place = 8 + length;
  for (const [name, kind, shape] of head.arrays) {
    const Kind = /** @type {Record<string, any>} */ ({ u1: Uint8Array, f4: Float32Array, i4: Int32Array })[kind];
    const count = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    found[name] = { data: new Kind(bytes.buffer.slice(place, place + count * Kind.BYTES_PER_ELEMENT)), shape };
    place += 4 * Math.ceil((count * Kind.BYTES_PER_ELEMENT) / 4);
  }
  return { values: head, arrays: found };
}

/** The map: a place between four pictures of the grid is their blend. */
function map() {
  const { points, y, frame, grid } = arrays, side = Math.sqrt(grid.shape[0]), size = height * width * channels;
  const [left, low, right, high] = frame.data, canvas = el("canvas.smooth", { width: 640, height: 640, tabIndex: 0, role: "application", "aria-label": t("latent.map") });
  const shown = picture(t("latent.decoded")), context = canvas.getContext("2d");
  let at = [0.5, 0.5];
  const show = () => {
    const [u, v] = at.map((share) => share * (side - 1)), [i, j] = [Math.min(Math.floor(u), side - 2), Math.min(Math.floor(v), side - 2)], blend = new Float64Array(size);
    for (const [di, dj] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
      const share = (di ? u - i : 1 - u + i) * (dj ? v - j : 1 - v + j), from = ((j + dj) * side + i + di) * size;
      for (let k = 0; k < size; k++) blend[k] += share * grid.data[from + k];
    }
    paint(shown, blend, height, width, channels);
    const style = getComputedStyle(document.documentElement);
    context.fillStyle = style.getPropertyValue("--sheet");
    context.fillRect(0, 0, 640, 640);
    for (let n = 0; n < points.shape[0]; n++) {
      context.fillStyle = y ? DOTS[y.data[n] % 10] : style.getPropertyValue("--strong");
      context.beginPath();
      context.arc(20 + (600 * (points.data[2 * n] - left)) / (right - left), 620 - (600 * (points.data[2 * n + 1] - low)) / (high - low), 4, 0, 7);
      context.fill();
    }
    context.strokeStyle = style.getPropertyValue("--ink");
    context.lineWidth = 3;
    context.beginPath();
    context.arc(20 + 600 * at[0], 620 - 600 * at[1], 11, 0, 7);
    context.stroke();
    canvas.dataset.at = at.map((share) => share.toFixed(3)).join();
  };
  const go = (/** @type {number} */ x, /** @type {number} */ v) => { at = [Math.min(Math.max(x, 0), 1), Math.min(Math.max(v, 0), 1)]; show(); };
  const pointed = (/** @type {PointerEvent} */ e) => { const box = canvas.getBoundingClientRect(); go((((e.clientX - box.left) / box.width) * 640 - 20) / 600, (620 - ((e.clientY - box.top) / box.height) * 640) / 600); };
  canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ e) => { canvas.setPointerCapture(e.pointerId); pointed(e); });
  canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ e) => { if (e.buttons) pointed(e); });
  canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ e) => {
    const by = /** @type {Record<string, number[]>} */ ({ ArrowLeft: [-0.03, 0], ArrowRight: [0.03, 0], ArrowUp: [0, 0.03], ArrowDown: [0, -0.03] })[e.key];
    const far = e.shiftKey ? 4 : 1;
    if (by) { e.preventDefault(); go(at[0] + far * by[0], at[1] + far * by[1]); }
  });
  show();
  return el("div.sides", {}, el("section", {}, el("div.stage", {}, canvas), el("p.note", {}, t("latent.keys"))), el("section.sheet", {}, el("h2", {}, "x"), el("div.stage", { style: { "max-width": "16rem" } }, shown)));
}

/** p(c | x) ∝ p(c) Σ p(z | c) Π p(x_i | z) of a drawing, summed in the page. */
function classifier() {
  const { log_prior: prior, log_weights: weights, log_table: table } = arrays, [count, dims, levels] = table.shape, top = levels - 1;
  const x = new Array(dims).fill(0), chart = bars(values.classes, { label: t("classifiers.generative") }), base = el("canvas", { width: 1, height: 1 });
  const classify = () => {
    const each = Array.from({ length: count }, (_, z) => { let sum = 0; for (let i = 0; i < dims; i++) sum += table.data[(z * dims + i) * levels + x[i]]; return sum; });
    const likelihood = values.classes.map((/** @type {string} */ _, /** @type {number} */ c) => sumOf(each.map((v, z) => v + weights.data[c * count + z])));
    const p = posterior(prior.data, likelihood), best = p.indexOf(Math.max(...p));
    chart.show(p);
    say(t("classifiers.said", { name: values.classes[best], p: percent(p[best]) }));
  };
  /** @type {number[][]} */
  const past = [];
  const undo = () => { const before = past.pop(); if (before) before.forEach((ink, i) => { x[i] = ink; }); pad.show(); classify(); };
  const pad = new Pad({
    columns: width, rows: height, label: t("classifiers.pad"),
    begin: () => { past.push([...x]); if (past.length > 100) past.shift(); },
    key: (e) => { if (e.key === "u") { undo(); return true; } return false; },
    touch: ({ x: u, y: v, erase }) => {
      for (let b = Math.max(0, v - 1); b <= Math.min(height - 1, v + 1); b++) for (let a = Math.max(0, u - 1); a <= Math.min(width - 1, u + 1); a++) {
        const ink = Math.round(top * Math.max(0, Math.min(1, 1.35 - Math.hypot(a - u, b - v))));
        x[b * width + a] = erase ? Math.min(x[b * width + a], top - ink) : Math.max(x[b * width + a], ink);
      }
      classify();
    },
    draw: (context, cell) => { paint(base, bytesOf(x, values.shape, levels), height, width, 1); context.imageSmoothingEnabled = false; context.drawImage(base, 0, 0, width * cell, height * cell); },
  });
  pad.show();
  return el("div.sides.gap", {}, el("section", {}, pad.node, el("div.row.gap", {}, button(t("clear"), () => { past.push([...x]); x.fill(0); pad.show(); classify(); }), button(t("undo"), undo)), el("p.note", {}, t("classifiers.keys"))), el("section.sheet", {}, el("h2", {}, t("classifiers.generative")), el("p.formula", {}, "p(c | x) = p(x | c) p(c) / p(x)"), chart.node, el("p.note", {}, t("frozen.classifier"))));
}

/** @param {number[]} log */
function sumOf(log) {
  const most = Math.max(...log);
  return most + Math.log(log.reduce((sum, v) => sum + Math.exp(v - most), 0));
}

fill(/** @type {HTMLElement} */ (document.getElementById("room")), el("h1", {}, values.model),
  el("p.lead", {}, t("frozen.lead")),
  arrays.grid ? map() : el("div.sheet", {}, el("h2", {}, t("latent.discrete", { n: arrays.components.shape[0] })), el("div.pictures", { style: { "--tile": "4.6rem" } }, pictures(arrays.components, (i) => `z = ${i}`))),
  el("div.sheet.gap", {}, el("h2", {}, t("frozen.samples")), el("div.pictures", {}, pictures(arrays.samples, (i) => t("row", { i, label: "" })))),
  arrays.log_table && channels === 1 ? classifier() : null);
