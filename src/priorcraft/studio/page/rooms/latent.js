// @ts-check
/** Latent: a map of z to walk on. */
import { arrays, newest } from "../lib/api.js";
import { button, el, field, fill, percent, say, select, slider } from "../lib/dom.js";
import { paint, picture, pictures } from "../lib/images.js";
import { spoken, t } from "../lib/i18n.js";
import { gallery, withRun } from "../lib/runs.js";

export const COLOURS = ["#4e79a7", "#e15759", "#59a14f", "#b07aa1", "#f28e2b", "#17a2b8", "#c2a000", "#9c755f", "#d37295", "#79706e"];

/** @param {HTMLElement} root */
export const room = (root) => withRun(root, {
  fits: (run) => run.can.includes("latent") && run.shape.length === 3 && run.member !== "vq-vae",
  prefer: (run) => ({ "flat-vae": 5, ppca: 3, gan: 2 }[run.member] ?? (run.can.includes("encoder") ? 4 : 1)),
  model: "flat-vae",
  minutes: 0.4,
  settings: { latent: 8 },
  show,
});

/** @param {import("../lib/runs.js").Run} run @param {HTMLElement} place */
async function show(run, place) {
  const map = await arrays("latent/map", { run: run.id });
  if (!map) return;
  if (map.values.discrete) return components(run, place, map);
  const walk = await walking(run, map);
  fill(place, el("div.sides", {}, el("section", {}, walk.stage, el("p.note", {}, map.values.share.length ? t("latent.map.note", { a: percent(map.values.share[0]), b: percent(map.values.share[1]) }) : t("latent.map.lively")), el("p.note", {}, t("latent.keys"))),
    el("section", {}, el("div.sheet", {}, el("h2", {}, "x"), walk.shown, walk.label), el("div.sheet", {}, el("h2", {}, t("latent.numbers")), walk.sliders))));
  if (run.can.includes("encoder")) place.append(await between(run));
  return walk.end;
}

/** A mixture: z is one of a few values. @param {import("../lib/runs.js").Run} run @param {HTMLElement} place @param {import("../lib/api.js").Message} map */
function components(run, place, map) {
  const { pictures: shown, shares } = map.arrays;
  const order = Array.from(shares.data.keys()).sort((a, b) => shares.data[b] - shares.data[a]);
  const tiles = pictures(shown), draws = el("div.pictures", { style: { "--tile": "4.6rem" }, role: "group" }), said = el("h2", { role: "status" });
  let z = order[0], seed = 0;
  const draw = newest(async (/** @type {any} */ question, signal) => {
    const message = await arrays("latent/component", { run: run.id, ...question }, signal);
    if (message) fill(draws, pictures(message.arrays.pictures, (i) => t("evidence.draw", { i: i + 1 })));
  }, (e) => { fill(said, spoken(e)); });
  const choose = (/** @type {number} */ i) => {
    z = i;
    said.textContent = t("latent.draws", { i });
    buttons.forEach((b, k) => b.setAttribute("aria-pressed", String(order[k] === i)));
    draw({ z, seed });
  };
  const buttons = order.map((i) => el("button", { type: "button", "aria-pressed": "false", "aria-label": t("latent.component", { i, p: percent(shares.data[i]) }), on: { click: () => choose(i) } }, tiles[i]));
  const drawn = el("div.sheet", {}, said, el("p.formula", {}, "x ~ p(x | z)"), draws, el("div.row.gap", {}, button(t("latent.again"), () => { seed++; draw({ z, seed }); })));
  choose(z);
  fill(place, drawn, el("div.sheet", {}, el("h2", {}, t("latent.discrete", { n: shares.data.length })), el("p.formula", {}, "p(x) = Σ", el("sub", {}, "z"), " p(z) p(x | z)"),
    el("div.pictures", { style: { "--tile": "4.6rem" } }, order.map((i, k) => el("figure", {}, buttons[k], el("figcaption", {}, `z = ${i}`, el("br"), percent(shares.data[i]))))), el("p.note", {}, t("latent.discrete.note"))));
}

/** @param {import("../lib/runs.js").Run} run @param {import("../lib/api.js").Message} map */
async function walking(run, map) {
  const { points, y } = map.arrays, n = points.shape[0];
  let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity;
  for (let i = 0; i < n; i++) { left = Math.min(left, points.data[2 * i]); right = Math.max(right, points.data[2 * i]); low = Math.min(low, points.data[2 * i + 1]); high = Math.max(high, points.data[2 * i + 1]); }
  const margin = 0.06 * Math.max(right - left, high - low);
  [left, right, low, high] = [left - margin, right + margin, low - margin, high + margin];
  /** @type {[number, number]} */
  let at = [(left + right) / 2, (low + high) / 2];
  let label = -1;
  /** @type {number[]} */
  let z = [];

  const canvas = el("canvas.smooth", { width: 720, height: 720, tabIndex: 0, role: "application", "aria-label": t("latent.map") });
  const stage = el("div.stage", {}, canvas), context = canvas.getContext("2d");
  const image = picture(t("latent.decoded"));
  const shown = el("div.stage", { style: { "max-width": "15rem" } }, image);
  const where = el("p.note");
  const X = (/** @type {number} */ v) => ((v - left) / (right - left)) * 720, Y = (/** @type {number} */ v) => 720 - ((v - low) / (high - low)) * 720;
  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    context.fillStyle = style.getPropertyValue("--sheet");
    context.fillRect(0, 0, 720, 720);
    context.globalAlpha = 0.75;
    for (let i = 0; i < n; i++) {
      context.fillStyle = y ? COLOURS[y.data[i] % COLOURS.length] : style.getPropertyValue("--strong");
      context.beginPath();
      context.arc(X(points.data[2 * i]), Y(points.data[2 * i + 1]), 5, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
    context.strokeStyle = style.getPropertyValue("--ink");
    context.lineWidth = 3;
    context.beginPath();
    context.arc(X(at[0]), Y(at[1]), 12, 0, 7);
    context.moveTo(X(at[0]) - 20, Y(at[1])); context.lineTo(X(at[0]) + 20, Y(at[1]));
    context.moveTo(X(at[0]), Y(at[1]) - 20); context.lineTo(X(at[0]), Y(at[1]) + 20);
    context.stroke();
  };
  const sliders = el("div"), list = /** @type {any[]} */ ([]);
  const shows = (/** @type {import("../lib/api.js").Message | null} */ message, /** @type {boolean} */ fromMap) => {
    if (!message) return;
    const { picture: p, z: code } = message.arrays;
    paint(image, p.data, p.shape[0], p.shape[1], p.shape[2]);
    image.dataset.shown = String(Number(image.dataset.shown ?? 0) + 1);
    z = Array.from(code.data);
    if (fromMap) list.forEach((node, i) => { node.value = String(z[i]); });
    const name = message.values.label >= 0 ? run.classes[message.values.label] : "";
    where.textContent = name ? t("latent.in", { name }) : "";
    if (document.activeElement === canvas) say(t("latent.said", { name: name || "x", a: at[0].toFixed(1), b: at[1].toFixed(1) }));
  };
  const ask = newest(async (/** @type {any} */ question, signal) => shows(await arrays("latent/walk", { run: run.id, ...question }, signal), Boolean(question.at)), (e) => { fill(where, spoken(e)); });
  const go = (/** @type {[number, number]} */ to) => { at = [Math.min(Math.max(to[0], left), right), Math.min(Math.max(to[1], low), high)]; draw(); ask({ at, label }); };

  const pointed = (/** @type {PointerEvent} */ e) => { const box = canvas.getBoundingClientRect(); go([left + ((e.clientX - box.left) / box.width) * (right - left), high - ((e.clientY - box.top) / box.height) * (high - low)]); };
  canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ e) => { canvas.setPointerCapture(e.pointerId); pointed(e); });
  canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ e) => { if (e.buttons) pointed(e); });
  canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ e) => {
    const step = (e.shiftKey ? 0.1 : 0.025) * (right - left);
    const by = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] })[e.key];
    if (!by) return;
    e.preventDefault();
    go([at[0] + by[0], at[1] + by[1]]);
  });

  const first = await arrays("latent/walk", { run: run.id, at, label });
  const count = Math.min(first?.arrays.z.data.length ?? 0, 16);
  for (let i = 0; i < count; i++) {
    const node = slider({ min: -4, max: 4, step: 0.05, value: 0, label: `z${i + 1}`, changed: (v) => { z[i] = v; ask({ z, label }); } });
    list.push(node);
    sliders.append(el("div.row", { style: { "flex-wrap": "nowrap", "align-items": "center" } }, el("span.label", { style: { "min-width": "1.8rem" } }, `z${i + 1}`), node));
  }
  shows(first, true);
  draw();
  addEventListener("dressed", draw);
  const classes = run.classes.length ? field(t("class"), select([["-1", t("latent.nearest")], ...run.classes.map((name, i) => /** @type {[string, string]} */ ([String(i), name]))], "-1", (v) => { label = Number(v); ask({ at, label }); })) : null;
  return { stage, shown, label: el("div", {}, where, classes), sliders, end: () => removeEventListener("dressed", draw) };
}

/** @param {import("../lib/runs.js").Run} run */
async function between(run) {
  let ends = [0, 1], turn = 0;
  const line = el("div.pictures.line", { role: "group", "aria-label": t("latent.between") });
  const ask = newest(async (/** @type {number[]} */ [a, b], signal) => {
    const message = await arrays("latent/between", { run: run.id, a, b, steps: 9 }, signal);
    if (message) fill(line, pictures(message.arrays.pictures, (i) => t("latent.step", { i: i + 1 })));
  });
  const rows = await gallery(run, (_, i) => { ends[turn] = i; turn = 1 - turn; ask([...ends]); }, { n: 20, first: null });
  ask([...ends]);
  return el("div.sheet.gap", {}, el("h2", {}, t("latent.between")), line, el("p.note", {}, t("latent.between.note")), rows.node);
}
