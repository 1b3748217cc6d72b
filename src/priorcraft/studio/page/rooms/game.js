// @ts-check
/** Game: two players, watched as they learn; on points that you draw, and on images. */
import { arrays, ask, get, post } from "../lib/api.js";
import { lines } from "../lib/charts.js";
import { button, el, field, figures, fill, number, say, select } from "../lib/dom.js";
import { paint, pictures } from "../lib/images.js";
import { known, spoken, t } from "../lib/i18n.js";
import { Pad } from "../lib/pad.js";
import { short } from "../lib/runs.js";

const REACH = 1.5, CELLS = 36, POINTS = 2400, KEPT = 400;

/** Distributions with a name, as weights of cells. @type {Record<string, (x: number, y: number) => number>} */
const NAMED = {
  ring: (x, y) => Math.max(...Array.from({ length: 8 }, (_, k) => bump(x - Math.cos((k * Math.PI) / 4), y - Math.sin((k * Math.PI) / 4), 0.09))),
  circle: (x, y) => Math.exp(-(((Math.hypot(x, y) - 0.95) / 0.07) ** 2)),
  moons: (x, y) => Math.max(y > -0.15 ? Math.exp(-(((Math.hypot(x + 0.4, y + 0.1) - 0.8) / 0.08) ** 2)) : 0, y < 0.15 ? Math.exp(-(((Math.hypot(x - 0.4, y - 0.1) - 0.8) / 0.08) ** 2)) : 0),
  grid: (x, y) => (Math.max(Math.abs(x), Math.abs(y)) < 1.3 ? bump(((x + 10.4) % 0.8) - 0.4, ((y + 10.4) % 0.8) - 0.4, 0.09) : 0),
};
/** A colour such as #1f5a8c. @param {string} text */
const rgb = (text) => [1, 3, 5].map((i) => parseInt(text.trim().slice(i, i + 2), 16));
const bump = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ s) => Math.exp(-(x * x + y * y) / (2 * s * s));

/** @param {HTMLElement} root */
export async function room(root) {
  const about = await get("about");
  let weights = new Float64Array(CELLS * CELLS), brush = 1.2, on = "points", loss = "relativistic", seed = 0;
  /** @type {number | null} */
  let game = null;
  /** @type {Float32Array} */
  let points = new Float32Array(0);
  let after = 0, playing = false, slow = false, frozen = false, faster = 1, over = false, drawing = true;
  /** @type {any[]} */
  let records = [];
  let frames = 0, watching = new AbortController();

  const place = (/** @type {number} */ cell) => -REACH + ((cell + 0.5) / CELLS) * 2 * REACH;
  const named = (/** @type {string} */ name) => {
    for (let v = 0; v < CELLS; v++) for (let u = 0; u < CELLS; u++) weights[v * CELLS + u] = NAMED[name](place(u), -place(v));
    restart();
  };
  /** Points drawn from the weights of the cells. */
  const draws = () => {
    const total = weights.reduce((a, b) => a + b, 0), out = new Float32Array(2 * POINTS), step = (2 * REACH) / CELLS;
    let cell = 0, passed = weights[0];
    for (let i = 0; i < POINTS; i++) {
      const goal = ((i + Math.random()) / POINTS) * total;
      while (passed < goal && cell < CELLS * CELLS - 1) passed += weights[++cell];
      out[2 * i] = place(cell % CELLS) + (Math.random() - 0.5) * step;
      out[2 * i + 1] = -place(Math.floor(cell / CELLS)) + (Math.random() - 0.5) * step;
    }
    return out;
  };

  /** @type {import("../lib/api.js").Message | null} */
  let frame = null;
  const pad = new Pad({
    columns: CELLS, rows: CELLS, label: t("game.pad"),
    begin: () => { if (!drawing) { weights = new Float64Array(CELLS * CELLS); } drawing = true; stop(); frame = null; },
    touch: ({ x, y, erase }) => {
      for (let v = Math.max(0, y - 2); v <= Math.min(CELLS - 1, y + 2); v++) for (let u = Math.max(0, x - 2); u <= Math.min(CELLS - 1, x + 2); u++) {
        const near = Math.max(0, 1 - Math.hypot(u - x, v - y) / (brush + 0.4));
        const i = v * CELLS + u;
        weights[i] = erase ? (near ? 0 : weights[i]) : Math.max(weights[i], near);
      }
    },
    end: () => restart(),
    draw: (context, cell) => paintPoints(context, cell * CELLS),
  });
  const ground = el("canvas", { width: 1, height: 1 });
  /** Where the critic believes, one pixel a place: blue above its median, red below. @param {{data: any, shape: number[]}} landscape @param {CSSStyleDeclaration} style */
  const paintLandscape = ({ data, shape: [rows, columns] }, style) => {
    const sorted = Float32Array.from(data).sort(), low = sorted[Math.floor(0.05 * data.length)], high = sorted[Math.floor(0.95 * data.length)];
    const [paper, real, fake] = ["--sheet", "--accent", "--warm"].map((name) => rgb(style.getPropertyValue(name)));
    const bytes = new Uint8Array(3 * data.length);
    for (let i = 0; i < data.length; i++) {
      const share = 2 * Math.min(1, Math.max(0, (data[i] - low) / (high - low || 1))) - 1, to = share > 0 ? real : fake;
      for (let k = 0; k < 3; k++) bytes[3 * i + k] = paper[k] + Math.abs(share) * (to[k] - paper[k]);
    }
    paint(ground, bytes, rows, columns, 3);
  };
  const paintPoints = (/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ size) => {
    const style = getComputedStyle(document.documentElement);
    const X = (/** @type {number} */ v) => ((v + REACH) / (2 * REACH)) * size, Y = (/** @type {number} */ v) => size - X(v);
    context.fillStyle = style.getPropertyValue("--sheet");
    context.fillRect(0, 0, size, size);
    if (frame?.arrays.landscape) {
      paintLandscape(frame.arrays.landscape, style);
      context.imageSmoothingEnabled = true;
      context.globalAlpha = 0.5;
      context.drawImage(ground, 0, 0, size, size);
      context.globalAlpha = 1;
    } else {
      for (let i = 0; i < weights.length; i++) if (weights[i] > 0.02) {
        context.globalAlpha = 0.3 * weights[i];
        context.fillStyle = style.getPropertyValue("--accent");
        context.fillRect((i % CELLS) * (size / CELLS), Math.floor(i / CELLS) * (size / CELLS), size / CELLS + 0.5, size / CELLS + 0.5);
      }
      context.globalAlpha = 1;
    }
    context.fillStyle = style.getPropertyValue("--accent");
    context.globalAlpha = 0.6;
    for (let i = 0; i < points.length / 2; i += 5) context.fillRect(X(points[2 * i]) - 1.5, Y(points[2 * i + 1]) - 1.5, 3.4, 3.4);
    context.globalAlpha = 0.9;
    if (frame?.arrays.fake) {
      context.fillStyle = style.getPropertyValue("--warm");
      const { data } = frame.arrays.fake, inside = (/** @type {number} */ v) => Math.min(Math.max(v, 2), size - 2); // what is far away lies at the edge
      for (let i = 0; i < data.length / 2; i++) { context.beginPath(); context.arc(inside(X(data[2 * i])), inside(Y(data[2 * i + 1])), 3.2, 0, 7); context.fill(); }
    }
    context.globalAlpha = 1;
  };

  const images = el("div.pictures", { style: { "--tile": "4rem" } });
  const scene = el("div"), beliefs = el("canvas.smooth", { width: 520, height: 132, role: "img", "aria-label": t("game.beliefs"), style: { width: "100%", height: "132px" } });
  const curves = el("div"), numbers = el("div", { id: "game-numbers" }), warnings = el("div", { role: "status" }), error = el("p.bad", { role: "alert" });
  const play = button(t("game.play"), () => toggle(), { kind: "main", id: "game-play" });

  const tell = async (/** @type {any} */ move) => { if (game !== null) await post(`game/${game}`, move).catch((e) => { fill(error, spoken(e)); }); };
  const stop = () => { playing = false; watching.abort(); watching = new AbortController(); play.textContent = t("game.play"); if (game !== null) ask(`game/${game}`, { method: "DELETE" }).catch(() => {}); game = null; };
  const ready = async () => {
    if (game !== null) return;
    drawing = false;
    points = on === "points" ? draws() : new Float32Array(0);
    records = [];
    after = 0;
    error.textContent = "";
    fill(warnings);
    const body = on === "points" ? { points: Array.from(points), loss, seed: seed++ } : { data: on, loss, seed: seed++ };
    game = (await post("game", body)).game;
    await tell({ pace: slow ? 4 : 0, freeze: frozen ? "critic" : "nobody", faster });
    watch(game ?? 0);
  };
  const restart = () => { stop(); frame = null; fill(images); fill(warnings); fill(numbers); fill(curves); points = on === "points" && weights.some((w) => w > 0) ? draws() : new Float32Array(0); pad.show(); };
  const toggle = async () => {
    try {
      await ready();
      playing = !playing;
      play.textContent = playing ? t("game.pause") : t("game.play");
      await tell({ playing });
    } catch (e) { fill(error, spoken(e)); }
  };
  const once = async (/** @type {string} */ who) => { try { await ready(); if (playing) await toggle(); await tell({ once: who }); } catch (e) { fill(error, spoken(e)); } };

  const watch = async (/** @type {number} */ number_) => {
    frames = 0;
    let coming = arrays(`game/${number_}?after=${after}`, undefined, watching.signal);
    while (!over && game === number_) {
      try {
        const message = await coming;
        if (message) after = message.values.number;
        coming = arrays(`game/${number_}?after=${after}`, undefined, watching.signal); // the next one is under way while this one is painted
        coming.catch(() => {});
        if (message && game === number_) shows(message);
      } catch (e) {
        if (game === number_) fill(error, spoken(e));
        return;
      }
    }
  };
  const shows = (/** @type {import("../lib/api.js").Message} */ message) => {
    frame = message;
    const v = message.values;
    frames++;
    scene.dataset.frames = String(v.number);
    scene.dataset.step = String(v.step);
    scene.dataset.cost = v.cost.toFixed(4);
    records = records.concat(v.records).slice(-KEPT);
    if (on === "points") pad.show();
    else replaceImages(message);
    paintBeliefs(message);
    const last = [...records].reverse().find((r) => r.diversity !== undefined);
    fill(numbers, figures([[t("game.step"), String(v.step)], [t("game.rate"), `${v.rate.toFixed(0)} / s`], [t("game.diversity"), last ? number("", last.diversity, "", 2) : "–"], v.sharpness === undefined ? [t("game.cost"), `${(100 * v.cost).toFixed(1)} %`] : [t("game.sharpness"), number("", v.sharpness, "", 2)]]));
    if (frames % 3 === 1) fill(curves, lines([{ name: t("game.critic.loss"), points: series("critic_loss") }, { name: t("game.generator.loss"), points: series("loss") }], { label: t("game.losses"), unit: t("game.steps"), from: 0, width: curves.clientWidth }));
    const said = [...v.warnings, ["", v.error]].filter(([, sentence]) => sentence), now = said.join();
    if (warnings.dataset.said !== now) fill(warnings, said.map(([name, sentence]) => el("p.warning", {}, known(name), known(name) && " ", spoken(sentence))));
    warnings.dataset.said = now;
  };
  const series = (/** @type {string} */ name) => records.filter((r) => r[name] !== undefined).map((r) => /** @type {[number, number]} */ ([r.step, r[name]]));
  const replaceImages = (/** @type {import("../lib/api.js").Message} */ message) => {
    const { data, shape: [n, h, w, c] } = message.arrays.pictures;
    if (images.childElementCount !== n) return fill(images, pictures(message.arrays.pictures, (i) => t("game.fake", { i: i + 1 })));
    Array.from(images.children).forEach((canvas, i) => paint(/** @type {any} */ (canvas), data, h, w, c, i * h * w * c));
  };
  /** What the critic believes of real, held-out and fake rows, as three rows of dots. */
  const paintBeliefs = (/** @type {import("../lib/api.js").Message} */ message) => {
    const density = devicePixelRatio, wide = beliefs.clientWidth || 520;
    if (beliefs.width !== Math.round(wide * density)) Object.assign(beliefs, { width: Math.round(wide * density), height: Math.round(132 * density) });
    const context = beliefs.getContext("2d"), style = getComputedStyle(document.documentElement);
    const kinds = /** @type {[string, string][]} */ ([["real", "--accent"], ["held_out", "--good"], ["of_fake", "--warm"]]);
    const all = kinds.flatMap(([k]) => Array.from(message.arrays[k].data)), low = Math.min(...all), high = Math.max(...all), X = (/** @type {number} */ v) => 96 + ((v - low) / (high - low || 1)) * (wide - 108);
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, wide, 132);
    context.font = "13px sans-serif";
    kinds.forEach(([k, colour], row) => {
      const y = 24 + 40 * row, data = Array.from(message.arrays[k].data), mean = data.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0) / data.length;
      context.fillStyle = style.getPropertyValue("--soft");
      context.fillText(t(`game.${k}`), 0, y + 4);
      context.fillStyle = style.getPropertyValue(colour);
      context.globalAlpha = 0.35;
      for (const v of data) { context.beginPath(); context.arc(X(v), y, 4, 0, 7); context.fill(); }
      context.globalAlpha = 1;
      context.fillRect(X(mean) - 1.5, y - 13, 3, 26);
    });
  };

  const shape = () => fill(scene, on === "points" ? [pad.node, el("p.note", {}, t("game.keys")), el("div.row.gap", {}, Object.keys(NAMED).map((name) => button(t(`game.${name}`), () => named(name))), button(t("clear"), () => { weights = new Float64Array(CELLS * CELLS); drawing = true; restart(); }))] : [images, el("p.note", {}, t("game.images.note"))]);
  const pressed = (/** @type {string} */ text, /** @type {() => boolean} */ act) => { const b = button(text, () => b.setAttribute("aria-pressed", String(act())), { "aria-pressed": "false" }); return b; };
  const choice = field(t("game.on"), select([["points", t("game.points")], ...[about.data, ...about.uploads.filter((/** @type {string} */ name) => !about.tables.includes(name))].map((name) => /** @type {[string, string]} */ ([name, t("game.images", { data: short(name) })]))], on, (v) => { on = v; stop(); shape(); restart(); }));
  fill(root, el("div.sides", {},
    el("section", {}, el("div.row", { style: { "margin-bottom": "1rem" } }, choice, field(t("game.loss"), select(["relativistic", "non-saturating", "least-squares", "wasserstein"].map((l) => [l, t(`loss.${l}`)]), loss, (v) => { loss = v; restart(); }))), scene, error),
    el("section", {},
      el("div.sheet", {}, el("div.row", {}, play, pressed(t("game.slow"), () => { slow = !slow; tell({ pace: slow ? 4 : 0 }); return slow; }), button(t("game.again"), restart)),
        el("div.row", {}, button(t("game.critic.step"), () => once("critic")), button(t("game.generator.step"), () => once("generator"))), el("div.gap", {}, numbers), warnings),
      el("div.sheet", {}, el("h2", {}, t("game.beliefs")), beliefs, el("p.note", {}, t("game.beliefs.note"))),
      el("div.sheet", {}, el("h2", {}, t("game.losses")), curves),
      el("div.sheet", {}, el("h2", {}, t("game.sabotage")), el("p.note", {}, t("game.sabotage.note")), el("div.row", {}, pressed(t("game.faster"), () => { faster = faster === 1 ? 100 : 1; tell({ faster }); return faster > 1; }), pressed(t("game.freeze"), () => { frozen = !frozen; tell({ freeze: frozen ? "critic" : "nobody" }); return frozen; }))))));
  shape();
  named("ring");
  say("");
  const dressed = () => pad.show();
  addEventListener("dressed", dressed);
  return () => { over = true; stop(); removeEventListener("dressed", dressed); };
}
