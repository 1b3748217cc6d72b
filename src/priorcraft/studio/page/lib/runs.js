// @ts-check
/** Which run a room asks; and, where there is none, how to get one. */
import { arrays, events, get, post } from "./api.js";
import { button, el, field, fill, say, select, waiting } from "./dom.js";
import { pictures } from "./images.js";
import { spoken, t } from "./i18n.js";

/**
 * @typedef {{id: string, model: string, member: string, family: string, can: string[], shape: number[], levels: number | null, classes: string[], data: string, state: string, step: number, progress: number, elapsed: number, nats: number | null, settings: any}} Run
 */

/** @returns {Promise<Run[]>} */
export const allRuns = () => get("runs");

/**
 * A choice of run above a room that is shown anew for each.
 * @param {HTMLElement} root
 * @param {{fits: (run: Run) => boolean, model: string, minutes: number, settings?: any, show: (run: Run, place: HTMLElement) => (() => void) | void | Promise<(() => void) | void>, prefer?: (run: Run) => number, paired?: boolean}} how paired: whether runs of pairs are shown, too
 * @returns {Promise<() => void>} what ends it
 */
export async function withRun(root, how) {
  const place = el("div"), head = el("div.row", { style: { "margin-bottom": "1.2rem" } });
  root.append(head, place);
  /** @type {(() => void) | void} */
  let end;
  const watching = new AbortController();
  const about = await get("about");
  let visit = 0;
  const open = async (/** @type {Run} */ run) => {
    const mine = ++visit, fresh = el("div"); // of its own: an earlier run that is still on its way must not write over it
    end?.();
    end = undefined;
    fill(place, fresh);
    const there = waiting(place, t("loading"));
    try {
      const ends = await how.show(run, fresh);
      if (mine === visit) end = ends;
      else ends?.();
    } finally { there(); }
  };
  const refresh = async (/** @type {string | null} */ chosen) => {
    const runs = (await allRuns()).filter((run) => run.state !== "empty" && (how.paired || !run.can.includes("translate")) && how.fits(run));
    if (how.prefer) runs.sort((a, b) => /** @type {any} */ (how.prefer)(b) - /** @type {any} */ (how.prefer)(a));
    const run = runs.find((r) => r.id === (chosen ?? about.run)) ?? runs[0];
    if (!run) return fill(head), fill(place, missing(how, about.data, (id) => refresh(id), watching.signal));
    const names = runs.map((r) => /** @type {[string, string]} */ ([r.id, `${r.id} · ${short(r.data)}`]));
    fill(head, field(t("run"), select(names, run.id, (id) => open(/** @type {Run} */ (runs.find((r) => r.id === id))))));
    await open(run);
  };
  await refresh(null);
  return () => { visit++; watching.abort(); end?.(); };
}

/** @param {string} source */
export const short = (source) => source.replace(/\/+$/, "").split("/").pop() ?? source;

/** What is said where a room has no model yet. @param {any} how @param {string} data @param {(run: string) => void} done @param {AbortSignal} signal */
function missing(how, data, done, signal) {
  const sheet = el("div.sheet.empty");
  const begin = async () => {
    const { run } = await post("fit", { data, model: how.model, minutes: how.minutes, settings: how.settings ?? {} });
    fill(sheet, el("h2", {}, t("fit.running", { model: how.model })), follow(run, (state, error) => {
      if (state === "failed") return fill(sheet, el("p.bad", { role: "alert" }, error ?? ""), again);
      done(run);
    }, signal));
  };
  const again = button(t("fit.begin", { model: how.model, data: short(data), seconds: Math.round(how.minutes * 60) }), () => begin().catch((e) => fill(sheet, el("p.bad", { role: "alert" }, spoken(e)), again)), { kind: "main" });
  fill(sheet, el("p", {}, t("fit.missing")), again);
  return sheet;
}

/**
 * A training as it goes on: progress, score, time left, samples.
 * @param {string} run @param {(state: string, error: string | null) => void} done @param {AbortSignal} signal
 */
export function follow(run, done, signal) {
  const bar = el("progress", { max: 1, value: 0, "aria-label": t("fit.progress") });
  const text = el("p.note", {}, t("fit.starting"));
  const image = el("img", { alt: t("fit.samples"), hidden: true, style: { "max-width": "100%", "image-rendering": "pixelated", "min-width": "50%" } });
  const notes = el("div");
  let score = "";
  const listen = async () => {
    await events(run, (event) => {
      if (event.state) return done(event.state, event.error);
      if (event.kind === "warning") notes.append(el("p.warning", {}, spoken(event.message)));
      if (event.kind === "note") notes.append(el("p.note", {}, spoken(event.message)));
      if (event.progress !== undefined) bar.value = event.progress;
      if (event.valid_nats !== undefined) score = ` · −log p = ${event.valid_nats.toFixed(2)} nats`;
      const left = event.progress > 0.02 ? (event.elapsed / event.progress) * (1 - event.progress) : NaN;
      text.textContent = t("fit.line", { step: event.step, left: Number.isFinite(left) ? Math.ceil(left) : "…" }) + score;
      if (event.kind === "validation") showPicture(run, image, signal);
    }, signal);
  };
  listen().catch((error) => { if (!signal.aborted) fill(text, spoken(error)); });
  return el("div", {}, bar, text, image, notes);
}

/** @param {string} run @param {HTMLImageElement} image @param {AbortSignal} signal */
async function showPicture(run, image, signal) {
  const { ask } = await import("./api.js");
  const answer = await ask(`runs/${run}/picture`, { signal }).catch(() => null);
  if (!answer || answer.status !== 200) return;
  const before = image.src;
  image.src = URL.createObjectURL(await answer.blob());
  image.hidden = false;
  if (before) URL.revokeObjectURL(before);
}

/**
 * Thumbnails of a run's rows, of which one can be chosen.
 * @param {Run} run @param {(x: number[], i: number, y: number) => void} chosen @param {{n?: number, first?: number | null, path?: string}} [how]
 */
export async function gallery(run, chosen, { n = 24, first = 0, path = `runs/${run.id}/rows?n=${n}` } = {}) {
  const message = await arrays(path);
  if (!message) return { node: el("div"), x: [], values: {} };
  const { x, y, pictures: shown } = message.arrays;
  const size = x.shape.slice(1).reduce((a, b) => a * b, 1);
  const rows = Array.from({ length: x.shape[0] }, (_, i) => Array.from(x.data.subarray(i * size, (i + 1) * size)));
  const label = (/** @type {number} */ i) => (y ? String(run.classes[y.data[i]] ?? y.data[i]) : "");
  const press = (/** @type {number} */ i) => {
    buttons.forEach((b, j) => b.setAttribute("aria-pressed", String(i === j)));
    chosen(rows[i], i, y ? y.data[i] : -1);
    say(t("row.chosen", { i, label: label(i) }));
  };
  const tiles = pictures(shown);
  const buttons = tiles.map((tile, i) => el("button", { type: "button", "aria-pressed": "false", "aria-label": t("row", { i, label: label(i) }), on: { click: () => press(i) } }, tile));
  if (first !== null && rows.length) queueMicrotask(() => press(Math.min(first, rows.length - 1)));
  return { node: el("div.pictures", { style: { "--tile": "2.6rem" }, role: "group", "aria-label": t("rows") }, buttons), x: rows, values: message.values };
}
