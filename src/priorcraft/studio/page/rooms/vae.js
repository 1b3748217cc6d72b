// @ts-check
/** VAE: encoder up, decoder down, the bound and what collapses. */
import { arrays, newest, post } from "../lib/api.js";
import { lines } from "../lib/charts.js";
import { button, el, figures, fill, number, say, slider } from "../lib/dom.js";
import { paint, picture } from "../lib/images.js";
import { spoken, t } from "../lib/i18n.js";
import { allRuns, follow, gallery, withRun } from "../lib/runs.js";

/** @param {HTMLElement} root */
export const room = (root) => withRun(root, { fits: (run) => run.member === "flat-vae" && run.shape.length === 3, model: "flat-vae", minutes: 0.4, settings: { latent: 8 }, show });

/** @param {import("../lib/runs.js").Run} run @param {HTMLElement} place */
async function show(run, place) {
  const watching = new AbortController();
  const input = picture(t("vae.x")), output = picture(t("vae.mean")), draw = picture(t("vae.draw"));
  const codes = el("div"), bound = el("div"), numbers = el("div"), error = el("p.bad", { role: "alert" });
  let label = -1;
  /** @type {number[]} */
  let z = [];
  const down = newest(async (/** @type {number[]} */ code, signal) => {
    const message = await arrays("vae/down", { run: run.id, z: code, label }, signal);
    if (!message) return;
    const { picture: p, draw: d } = message.arrays;
    paint(output, p.data, p.shape[0], p.shape[1], p.shape[2]);
    paint(draw, d.data, d.shape[0], d.shape[1], d.shape[2]);
  }, (e) => { fill(error, spoken(e)); });
  const up = newest(async (/** @type {{x: number[], y: number}} */ row, signal) => {
    const message = await arrays("vae/up", { run: run.id, x: row.x, label: row.y }, signal);
    if (!message) return;
    const v = message.values, { mean, deviation, prior_mean: pm, prior_deviation: pd, kl } = message.arrays;
    const kind = v.kl_kind === "exact" ? "=" : "≈";
    label = v.label;
    z = Array.from(mean.data);
    fill(codes, z.map((m, i) => {
      const node = slider({ min: -5, max: 5, step: 0.05, value: m, label: t("vae.number", { i: i + 1, kl: kl.data[i].toFixed(2) }), changed: (value) => { z[i] = value; down([...z]); } });
      return el("div.field", {}, el("div.row", { style: { "flex-wrap": "nowrap", "align-items": "center", gap: ".6rem" } }, el("span.label", { style: { "min-width": "1.6rem" } }, `z${i + 1}`), el("div", { style: { flex: "1" } }, interval(m, deviation.data[i], pm.data[i], pd.data[i]), node), number(kind, kl.data[i], "nats", 2)));
    }));
    fill(bound, lines([{ name: t("vae.bound"), points: v.draws.map((/** @type {number} */ k, /** @type {number} */ i) => /** @type {[number, number]} */ ([k, v.bounds[i]])) }], { label: t("vae.bound.label"), unit: t("vae.draws"), logarithmic: true, width: bound.clientWidth }));
    fill(numbers, figures([[t("vae.reconstruction"), number("≈", v.reconstruction, "nats")], ["KL(q ‖ p)", number(kind, v.kl, "nats")], [t("vae.elbo"), number("≥", v.bounds[0], "nats")], [t("vae.tight"), number("≥", v.bounds[v.bounds.length - 1], "nats")], [t("vae.gap"), number("≥", v.gap, "nats")]]));
    say(t("vae.said", { bound: v.bounds[0].toFixed(1) }));
    down([...z]);
  }, (e) => { fill(error, spoken(e)); });
  const rows = await gallery(run, (x, _, y) => {
    const bytes = Uint8Array.from(x, (value) => Math.round((value * 255) / ((run.levels ?? 2) - 1)));
    const [c, h, w] = run.shape;
    const order = new Uint8Array(h * w * c);
    for (let k = 0; k < c; k++) for (let i = 0; i < h * w; i++) order[i * c + k] = bytes[k * h * w + i];
    paint(input, order, h, w, c);
    up({ x, y });
  }, { n: 24 });
  const tile = (/** @type {any} */ canvas, /** @type {string} */ text) => el("figure", { style: { margin: 0, flex: "1 1 5.5rem", "max-width": "11rem" } }, el("div.stage", {}, canvas), el("figcaption.note", {}, text));
  fill(place, el("div.sides", {},
    el("section", {}, el("div.row", { style: { "align-items": "start", "flex-wrap": "nowrap" } }, tile(input, t("vae.x")), tile(output, t("vae.mean")), tile(draw, t("vae.draw"))), el("div.gap", {}, rows.node), error,
      el("div.sheet.gap", {}, el("h2", {}, t("vae.bound")), el("p.formula", {}, "log p(x) ≥ E log p(x | z) − KL(q(z | x) ‖ p(z))"), numbers, bound, el("p.note", {}, t("vae.bound.note")))),
    el("section", {}, el("div.sheet", {}, el("h2", {}, t("vae.codes")), el("p.note", {}, t("vae.codes.note")), codes))));
  place.append(collapse(run, watching.signal));
  return () => watching.abort();
}

/** q(z_i | x) as a mark on p(z_i). @param {number} m @param {number} d @param {number} pm @param {number} pd */
function interval(m, d, pm, pd) {
  const at = (/** @type {number} */ v) => `${Math.min(100, Math.max(0, 10 * (v + 5)))}%`, wide = (/** @type {number} */ s) => `${Math.min(100, 20 * s)}%`;
  const part = (/** @type {number} */ mean, /** @type {number} */ s, /** @type {string} */ colour, /** @type {string} */ height) => el("div", { style: { position: "absolute", left: `calc(${at(mean)} - ${wide(s)} / 2)`, width: wide(s), "min-width": "3px", height, top: `calc(50% - ${height} / 2)`, background: colour, "border-radius": "3px" } });
  return el("div", { "aria-hidden": "true", style: { position: "relative", height: "1.1rem", margin: "0 .5rem", overflow: "hidden" } }, part(pm, pd, "var(--line)", "1.1rem"), part(m, d, "var(--accent)", ".55rem"));
}

/** What collapses: nats of each number of z, for this run and others. @param {import("../lib/runs.js").Run} run @param {AbortSignal} signal */
function collapse(run, signal) {
  const list = el("div"), training = el("div");
  const refresh = async () => {
    const runs = (await allRuns()).filter((r) => r.member === "flat-vae" && r.data === run.data && r.state !== "empty" && r.shape.join() === run.shape.join()).slice(0, 6);
    const found = await Promise.all(runs.map(async (r) => ({ r, message: await arrays("vae/active", { run: r.id }, signal).catch(() => null) })));
    const carried = (/** @type {any} */ message) => Array.from(message.arrays.kl.data, Number).sort((a, b) => b - a);
    const there = found.filter(({ message }) => message), most = Math.max(1e-9, ...there.flatMap(({ message }) => carried(message)));
    fill(list, there.map(({ r, message }) => {
      const kl = carried(message);
      const columns = el("div", { "aria-hidden": "true", style: { display: "flex", "align-items": "end", gap: "2px", height: "3rem" } }, kl.map((v) => el("div", { style: { flex: "1", "max-width": "1.4rem", height: `${Math.max(2, (100 * v) / most)}%`, background: v > 0.05 ? "var(--accent)" : "var(--warm)", "border-radius": "2px 2px 0 0" } })));
      const v = /** @type {any} */ (message).values;
      return el("div", { style: { "margin-bottom": "1rem" } }, el("div.row", { style: { "justify-content": "space-between" } }, el("strong", {}, r.id), el("span.note", {}, t("vae.active", { active: v.active, latent: v.latent, free: v.settings.free_bits, beta: v.settings.beta }))), columns);
    }));
  };
  const fail = (/** @type {Error} */ e) => fill(training, el("p.bad", { role: "alert" }, spoken(e)));
  const fit = async (/** @type {any} */ settings) => {
    const made = await post("fit", { data: run.data, model: "flat-vae", minutes: 0.3, settings: { latent: 16, ...settings } });
    fill(training, follow(made.run, (state, error) => { if (state === "failed") return fail(new Error(error ?? "")); fill(training); refresh(); }, signal));
  };
  refresh();
  return el("div.sheet.gap", {}, el("h2", {}, t("vae.collapse")), el("p.note", {}, t("vae.collapse.note")), list, training,
    el("div.row", {}, button(t("vae.off"), () => fit({ free_bits: 0, beta: 4 }).catch(fail)), button(t("vae.on"), () => fit({ free_bits: 0.5, beta: 4 }).catch(fail))));
}
