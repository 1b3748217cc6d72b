// @ts-check
/** Evidence: a mask is brushed, and eight draws follow the stroke. */
import { newest, stream } from "../lib/api.js";
import { button, chooser, el, field, fill, say, select, slider, views, waiting } from "../lib/dom.js";
import { bytesOf, entriesOf, paint, picture } from "../lib/images.js";
import { spoken, t, translated } from "../lib/i18n.js";
import { Pad } from "../lib/pad.js";
import { gallery, withRun } from "../lib/runs.js";
import { room as augment } from "./augment.js";
import { show as cells } from "./cells.js";
import { room as translate } from "./translate.js";

const DRAWS = 8;

/** @param {HTMLElement} root */
export const room = (root) => views(root, [[t("evidence.complete"), complete], [t("translate.name"), translate], [t("augment.name"), augment]]);

/** @param {HTMLElement} root */
const complete = (root) => withRun(root, {
  fits: (run) => run.can.includes("table") || (run.shape.length === 3 && run.levels !== null),
  prefer: (run) => (run.can.includes("order") ? 3 : 0) + (run.family === "exact" ? 2 : 0) + (run.can.includes("mixture") ? 1 : 0),
  model: "mixture",
  minutes: 0.1,
  show: (run, place) => (run.can.includes("table") ? cells(run, place) : show(run, place)),
});

/** @param {import("../lib/runs.js").Run} run @param {HTMLElement} place */
async function show(run, place) {
  const [c, h, w] = run.shape, levels = run.levels ?? 2, size = h * w;
  let x = new Array(c * size).fill(0), hidden = new Uint8Array(size), label = -1, seed = 0, brush = Math.max(2, Math.round(w / 6)), tool = "brush", seen = "mask", original = false;
  /** @type {Uint8Array<ArrayBuffer>[]} */
  let past = [];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  let future = [];
  /** @type {[number, number][]} */
  let loop = [];
  /** @type {{draws: Uint8Array[], x: Int32Array[]}} */
  let found = { draws: [], x: [] };
  const shape = /** @type {[number, number, number]} */ ([h, w, c]);

  const base = el("canvas", { width: w, height: h }), tiles = Array.from({ length: DRAWS }, (_, i) => picture(t("evidence.draw", { i: i + 1 })));
  const mean = picture(t("evidence.mean")), doubt = picture(t("evidence.doubt"));
  const said = el("p.note", { role: "status" }), notes = el("div", {}, said), error = el("p.bad", { role: "alert" }), size_ = el("output.number");

  const pad = new Pad({
    columns: w, rows: h, label: t("evidence.pad"),
    begin: () => { remember(); loop = []; },
    touch: ({ x: u, y: v, erase }) => {
      if (seen === "small") return;
      if (tool === "lasso") loop.push([u, v]);
      else stamp(u, v, erase || tool === "erase" ? 0 : 1);
      if (tool !== "lasso") ask();
    },
    end: () => { if (tool === "lasso" && loop.length > 2) { enclosed(loop); ask(); } loop = []; pad.show(); },
    draw: (context, cell) => {
      paint(base, bytesOf(x, run.shape, levels), h, w, c);
      context.imageSmoothingEnabled = false;
      context.drawImage(base, 0, 0, w * cell, h * cell);
      if (seen === "small") return small(context, cell);
      if (!original) for (let i = 0; i < size; i++) if (hidden[i]) hatch(context, (i % w) * cell, Math.floor(i / w) * cell, cell);
      context.strokeStyle = "#e0662f";
      context.lineWidth = 3;
      context.beginPath();
      loop.forEach(([u, v], i) => context[i ? "lineTo" : "moveTo"]((u + 0.5) * cell, (v + 0.5) * cell));
      context.stroke();
    },
    key: (e) => {
      if (e.key === "[" || e.key === "]") { resize(brush + (e.key === "]" ? 1 : -1)); return true; }
      if (e.key === "1") { resize(1); return true; }
      if (e.key === "u") { undo(); return true; }
      if (e.key === "r") { redo(); return true; }
      if (e.key === "o" && !e.repeat) { peek(true); return true; }
      return false;
    },
  });
  /** A hidden pixel: neither black nor white nor grey. */
  const hatch = (/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ u, /** @type {number} */ v, /** @type {number} */ cell) => {
    context.fillStyle = "#f4d9cd";
    context.fillRect(u, v, cell, cell);
    context.strokeStyle = "#c97a58";
    context.lineWidth = Math.max(1, cell / 16);
    context.beginPath();
    for (const k of [0.25, 0.75]) { context.moveTo(u + k * cell, v); context.lineTo(u, v + k * cell); context.moveTo(u + cell, v + k * cell); context.lineTo(u + k * cell, v + cell); }
    context.stroke();
  };
  /** What is left of an image that is seen small. */
  const small = (/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ cell) => {
    if (original) return;
    for (let v = 0; v < h; v += 2) for (let u = 0; u < w; u += 2) {
      const mean_ = [0, 1, 2].map((k) => { const from = Math.min(k, c - 1) * size; return (255 / (levels - 1)) * (x[from + v * w + u] + x[from + v * w + u + 1] + x[from + (v + 1) * w + u] + x[from + (v + 1) * w + u + 1]) / 4; });
      context.fillStyle = `rgb(${mean_.map(Math.round).join()})`;
      context.fillRect(u * cell, v * cell, 2 * cell, 2 * cell);
    }
  };
  const stamp = (/** @type {number} */ u, /** @type {number} */ v, /** @type {number} */ value) => {
    const r = brush / 2 + 0.25, reach = Math.ceil(r);
    for (let b = Math.max(0, v - reach); b <= Math.min(h - 1, v + reach); b++) for (let a = Math.max(0, u - reach); a <= Math.min(w - 1, u + reach); a++) if (Math.hypot(a - u, b - v) < r) hidden[b * w + a] = value;
  };
  const enclosed = (/** @type {[number, number][]} */ path) => {
    for (let i = 0; i < size; i++) {
      const [u, v] = [i % w, Math.floor(i / w)];
      let inside = path.some(([a, b]) => a === u && b === v);
      for (let k = 0, j = path.length - 1; k < path.length; j = k++) {
        const [[ax, ay], [bx, by]] = [path[k], path[j]];
        if (ay > v !== by > v && u < ((bx - ax) * (v - ay)) / (by - ay) + ax) inside = !inside;
      }
      if (inside) hidden[i] = 1;
    }
  };
  const remember = () => { past.push(hidden.slice()); if (past.length > 200) past.shift(); future = []; };
  const undo = () => { const last = past.pop(); if (last) { future.push(hidden); hidden = last; ask(); pad.show(); } };
  const redo = () => { const next = future.pop(); if (next) { past.push(hidden); hidden = next; ask(); pad.show(); } };
  const resize = (/** @type {number} */ to) => { brush = Math.min(Math.max(1, to), Math.max(h, w)); width.value = String(brush); size_.textContent = `${brush} px`; };
  const peek = (/** @type {boolean} */ on) => { original = on; pad.show(); };

  const question = newest(async (/** @type {any} */ asked, signal) => {
    let fresh = true;
    if (asked.seen === "mask" && !asked.hidden.includes(1)) return blank();
    const there = waiting(notes, t("ask.wait"));
    await stream("evidence", { run: run.id, label, n: DRAWS, ...asked }, (message) => {
      there();
      error.textContent = "";
      if (fresh) found = { draws: [], x: [] };
      fresh = false;
      const { x: values, pictures: shown } = message.arrays, n = shown.shape[0], each = size * c;
      for (let i = 0; i < n; i++) {
        found.draws.push(/** @type {Uint8Array} */ (shown.data.slice(i * each, (i + 1) * each)));
        found.x.push(/** @type {Int32Array} */ (values.data.slice(i * each, (i + 1) * each)));
      }
      answer(message.values);
    }, signal).finally(there);
  }, (e) => { fill(error, spoken(e)); }, () => found.draws.length > 0);
  const ask = () => question({ x: x.map((value, i) => (seen === "mask" && hidden[i % size] ? 0 : value)), hidden: Array.from(hidden), seen, seed });
  const blank = () => { for (const tile of [...tiles, mean]) paint(tile, bytesOf(x, run.shape, levels), ...shape); paint(doubt, new Uint8Array(size), h, w, 1); said.textContent = t("evidence.begin"); };
  const answer = (/** @type {any} */ values) => {
    const n = found.draws.length, average = new Float64Array(size * c), square = new Float64Array(size * c);
    found.draws.forEach((bytes, i) => { paint(tiles[i], bytes, ...shape); bytes.forEach((v, j) => { average[j] += v / n; square[j] += (v * v) / n; }); });
    paint(mean, average, ...shape);
    const spread = Float64Array.from(average, (m, j) => Math.sqrt(Math.max(0, square[j] - m * m))), most = Math.max(1, ...spread);
    paint(doubt, spread.map((s) => (255 * s) / most), h, w, c);
    pad.canvas.dataset.draws = String(n);
    pad.canvas.dataset.answers = String(Number(pad.canvas.dataset.answers ?? 0) + (n === DRAWS ? 1 : 0));
    const share = hidden.reduce((a, b) => a + b, 0);
    fill(said, el("span.number", {}, el("span.kind", {}, values.kind === "exact" ? "=" : "≈")), ` ${t(values.kind === "exact" ? "evidence.exact" : "evidence.approximate")} · ${translated(values.method)}${seen === "mask" ? ` · ${t("evidence.hidden", { n: share })}` : ""}`);
    if (n === DRAWS) say(t("evidence.said", { n, hidden: share }));
  };

  const width = slider({ min: 1, max: Math.max(4, Math.floor(w / 2)), step: 1, value: brush, label: t("evidence.size"), changed: resize });
  resize(brush);
  const take = async (/** @type {Blob | null | undefined} */ file) => {
    if (!file) return;
    try { x = await entriesOf(file, run.shape, levels); error.textContent = ""; ask(); pad.show(); } catch { error.textContent = t("evidence.bad"); }
  };
  const file = chooser(t("evidence.photo"), "image/*", take);
  const pasted = (/** @type {ClipboardEvent} */ e) => take(Array.from(e.clipboardData?.files ?? []).find((f) => f.type.startsWith("image/")));
  const down = (/** @type {KeyboardEvent} */ e) => {
    if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "z") { e.preventDefault(); if (e.shiftKey) redo(); else undo(); }
    else if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "y") { e.preventDefault(); redo(); }
    else if (e.key === "Tab" && pad.canvas.matches(":hover") && document.activeElement === pad.canvas) { e.preventDefault(); peek(true); }
  };
  const released = (/** @type {KeyboardEvent} */ e) => { if (original && (e.key === "Tab" || e.key === "o")) peek(false); };
  addEventListener("paste", pasted);
  addEventListener("keydown", down);
  addEventListener("keyup", released);

  const rows = await gallery(run, (row) => { x = [...row]; ask(); pad.show(); }, { n: 24 });
  const tools = el("div.row", {}, ["brush", "erase", "lasso"].map((name) => button(t(`evidence.${name}`), () => { tool = name; tools.querySelectorAll("button").forEach((/** @type {Element} */ b, /** @type {number} */ i) => b.setAttribute("aria-pressed", String(["brush", "erase", "lasso"][i] === name))); }, { "aria-pressed": String(name === tool) })), button(t("undo"), undo), button(t("redo"), redo), button(t("clear"), () => { remember(); hidden = new Uint8Array(size); ask(); pad.show(); }));
  fill(place, el("div.sides", {},
    el("section", {}, pad.node, el("div.gap", {}, tools), el("div.row.gap", { style: { "flex-wrap": "nowrap", "align-items": "center" } }, el("span.label", { style: { margin: 0 } }, t("evidence.size")), width, size_),
      el("p.note", {}, t("evidence.keys")),
      el("div.row.gap", {}, field(t("evidence.question"), select([["mask", t("evidence.fill")], ...(h % 2 || w % 2 ? [] : [/** @type {[string, string]} */ (["small", t("evidence.enlarge")])])], "mask", (v) => { seen = v; ask(); pad.show(); })),
        run.classes.length ? field(t("class"), select([["-1", t("unknown")], ...run.classes.map((name, i) => /** @type {[string, string]} */ ([String(i), name]))], "-1", (v) => { label = Number(v); ask(); })) : null,
        button(t("evidence.again"), () => { seed++; ask(); }))),
    el("section", {},
      el("div.sheet", {}, el("h2", {}, t("evidence.draws")), el("p.formula", {}, "x ~ p(x | ", el("b", {}, t("evidence.seen")), ")"), el("div.pictures", { style: { "grid-template-columns": "repeat(4, 1fr)" } }, tiles), notes, error),
      el("div.sheet", {}, el("div.row", { style: { "flex-wrap": "nowrap" } }, [mean, doubt].map((canvas, i) => el("figure", { style: { margin: 0, flex: "1" } }, el("div.stage", {}, canvas), el("figcaption.note", {}, t(i ? "evidence.doubt" : "evidence.mean")))))),
      el("div.sheet", {}, el("h2", {}, t("evidence.which")), rows.node, el("div.gap", {}, file, el("p.note", {}, t("evidence.paste")))))));
  return () => { removeEventListener("paste", pasted); removeEventListener("keydown", down); removeEventListener("keyup", released); };
}
