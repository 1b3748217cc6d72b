// @ts-check
/** Order: the order of the pixels is drawn by the pen. */
import { arrays, newest } from "../lib/api.js";
import { bars } from "../lib/charts.js";
import { button, el, field, fill, number, say, select } from "../lib/dom.js";
import { spoken, t } from "../lib/i18n.js";
import { Pad } from "../lib/pad.js";
import { withRun } from "../lib/runs.js";

/** @param {HTMLElement} root */
export const room = (root) => withRun(root, {
  fits: (run) => run.can.includes("order") && run.shape.length === 3 && run.shape[0] === 1 && run.levels !== null,
  prefer: (run) => (run.member === "masked-mlp" ? 1 : 0),
  model: "masked-mlp",
  minutes: 0.5,
  show,
});

/** Orders that have a name. @param {number} h @param {number} w @returns {Record<string, number[]>} */
function presets(h, w) {
  const raster = Array.from({ length: h * w }, (_, i) => i), middle = [(h - 1) / 2, (w - 1) / 2];
  const far = (/** @type {number} */ i) => Math.hypot(Math.floor(i / w) - middle[0], (i % w) - middle[1]);
  let seed = 7;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const shuffled = raster.map((i) => /** @type {[number, number]} */ ([random(), i])).sort((a, b) => a[0] - b[0]).map(([, i]) => i);
  return { raster, reverse: [...raster].reverse(), columns: raster.map((i) => (i % h) * w + Math.floor(i / h)), inside: [...raster].sort((a, b) => far(a) - far(b)), outside: [...raster].sort((a, b) => far(b) - far(a)), random: shuffled };
}

/** Orders averaged: p(x) is the mean of the densities in each, and a density itself. @param {{log_p: ArrayLike<number>}[]} tried */
function averaged(tried) {
  const n = tried[0].log_p.length;
  const log_p = Array.from({ length: n }, (_, i) => { const each = tried.map((order) => order.log_p[i]), most = Math.max(...each); return most + Math.log(each.reduce((sum, v) => sum + Math.exp(v - most), 0) / each.length); });
  const mean = log_p.reduce((a, b) => a + b, 0) / n, spread = Math.sqrt(log_p.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1));
  return { name: t("order.averaged"), nats: -mean, error: spread / Math.sqrt(n), log_p };
}

/** @param {import("../lib/runs.js").Run} run @param {HTMLElement} place */
function show(run, place) {
  const [, h, w] = run.shape, top = (run.levels ?? 2) - 1, named = presets(h, w);
  let order = [...named.raster], block = 1, label = -1, seed = 0, shown = h * w, timer = 0;
  /** @type {number[]} */
  let drawn = [];
  /** @type {{x: ArrayLike<number>, p: any} | null} */
  let sample = null;
  const scores = /** @type {Map<string, {nats: number, error: number, name: string, log_p: ArrayLike<number>}>} */ (new Map());
  const rank = () => { const r = new Array(h * w); order.forEach((i, k) => { r[i] = k; }); return r; };
  let ranks = rank();

  const chart = bars(Array.from({ length: Math.min(top + 1, 17) }, (_, i) => String(i)), { label: t("order.next"), small: true });
  const table = el("tbody"), said = el("p.note", { role: "status" }), error = el("p.bad", { role: "alert" });

  const pad = new Pad({
    columns: w, rows: h, label: t("order.pad"),
    touch: ({ x, y, first }) => {
      const i = y * w + x;
      if (first && drawn.length === 0) sample = null;
      if (!drawn.includes(i)) drawn.push(i);
      const rest = named.raster.filter((j) => !drawn.includes(j));
      set([...drawn, ...rest]);
    },
    end: () => { score(t("order.yours")); play(); },
    draw: (context, cell) => {
      const style = getComputedStyle(document.documentElement);
      for (let i = 0; i < h * w; i++) {
        const [x, y] = [(i % w) * cell, Math.floor(i / w) * cell], seen = sample && ranks[i] < shown;
        const share = ranks[i] / (h * w);
        const grey = sample ? Math.round((255 * sample.x[i]) / top) : 0;
        context.fillStyle = seen ? `rgb(${grey},${grey},${grey})` : `color-mix(in oklab, ${style.getPropertyValue("--accent")} ${Math.round(85 * (1 - share))}%, ${style.getPropertyValue("--sheet")})`;
        context.fillRect(x, y, cell, cell);
        if (!seen && cell >= 24) {
          context.fillStyle = share < 0.45 ? style.getPropertyValue("--on-accent") : style.getPropertyValue("--ink");
          context.font = `${Math.floor(cell / 3.2)}px sans-serif`;
          context.textAlign = "center"; context.textBaseline = "middle";
          context.fillText(String(ranks[i] + 1), x + cell / 2, y + cell / 2);
        }
      }
    },
  });
  const set = (/** @type {number[]} */ to) => { order = to; ranks = rank(); pad.show(); };

  const ask = newest(async (/** @type {any} */ question, signal) => {
    const message = await arrays("order/draw", { run: run.id, ...question }, signal);
    if (!message) return;
    sample = { x: message.arrays.x.data, p: message.arrays.p };
    error.textContent = "";
    animate(message.values);
  }, (e) => { fill(error, spoken(e)); });
  const play = () => ask({ order, block, label, seed });
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const animate = (/** @type {{nats: number, seconds: number, evaluation: number}} */ { nats, seconds, evaluation }) => {
    cancelAnimationFrame(timer);
    shown = calm.matches ? h * w : 0;
    const began = performance.now(), length = Math.min(6000, Math.max(1200, (h * w * 40) / block));
    const frame = () => {
      const share = calm.matches ? 1 : Math.min(1, (performance.now() - began) / length);
      shown = share === 1 ? h * w : Math.floor((share * h * w) / block) * block;
      const next = order[Math.min(shown, h * w - 1)];
      if (sample) chart.show(Array.from({ length: Math.min(top + 1, 17) }, (_, v) => sample?.p.data[next * (top + 1) + v] ?? 0));
      pad.show();
      if (share < 1) timer = requestAnimationFrame(frame);
      else { said.textContent = t("order.drawn", { nats: nats.toFixed(1), steps: Math.ceil((h * w) / block), ms: (1000 * seconds).toFixed(0), one: (1000 * evaluation).toFixed(1) }); pad.canvas.dataset.drawn = String(Number(pad.canvas.dataset.drawn ?? 0) + 1); }
    };
    frame();
  };

  const judge = newest(async (/** @type {any} */ question, signal) => {
    const message = await arrays("order/score", { run: run.id, order: question.order, block: question.block }, signal);
    if (!message) return;
    scores.set(question.name, { name: question.name, nats: message.values.nats, error: message.values.error, log_p: message.arrays.log_p.data });
    list();
  }, (e) => { fill(error, spoken(e)); });
  const score = (/** @type {string} */ name) => judge({ order: [...order], block, name: block > 1 ? `${name}, ${t("order.by", { n: block })}` : name });
  const list = () => {
    const tried = [...scores.values()], rows = (tried.length > 1 ? [...tried, averaged(tried)] : tried).sort((a, b) => a.nats - b.nats);
    fill(table, rows.map((row) => el("tr", {}, el("td", {}, row.name), el("td.right", {}, number("=", row.nats, "", 2)), el("td.right", {}, `± ${row.error.toFixed(2)}`))));
    if (rows.length > 1) say(t("order.said", { best: rows[0].name, nats: rows[0].nats.toFixed(1) }));
  };

  const choose = (/** @type {string} */ name) => { drawn = []; sample = null; set([...named[name]]); score(t(`order.${name}`)); play(); };
  fill(place, el("div.sides", {},
    el("section", {}, pad.node, el("p.note", {}, t("order.keys")), said, error,
      el("div.row.gap", {}, button(t("order.draw"), () => { seed++; play(); }, { kind: "main" }), button(t("order.erase"), () => { drawn = []; choose("raster"); }),
        field(t("order.block"), select(["1", "2", "4", "8", "16", String(h * w)].map((n) => [n, n === String(h * w) ? t("order.all") : n]), "1", (n) => { block = Number(n); score(drawn.length ? t("order.yours") : t("order.this")); play(); })),
        run.classes.length ? field(t("class"), select([["-1", t("any")], ...run.classes.map((c, i) => /** @type {[string, string]} */ ([String(i), c]))], "-1", (v) => { label = Number(v); play(); })) : null)),
    el("section", {},
      el("div.sheet", {}, el("h2", {}, t("order.named")), el("div.row", {}, Object.keys(named).map((name) => button(t(`order.${name}`), () => choose(name))))),
      el("div.sheet", {}, el("h2", {}, t("order.scores")), el("div.scroll", { tabIndex: 0, role: "region", "aria-label": t("order.scores") }, el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("order.order")), el("th.right", { scope: "col" }, "−log p(x | c)"), el("th.right", { scope: "col" }, t("error")))), table)), el("p.note", {}, t("order.scores.note"))),
      el("div.sheet", {}, el("h2", {}, t("order.next")), el("p.formula", {}, "p(x", el("sub", {}, "i"), " | ", t("order.earlier"), ")"), chart.node))));
  choose("raster");
  return () => cancelAnimationFrame(timer);
}
