// @ts-check
/** Augment: samples of each class added to the training set, and whether a classifier gains by them. */
import { ask, unpacked } from "../lib/api.js";
import { button, el, field, fill, percent, say, select, slider } from "../lib/dom.js";
import { pictures } from "../lib/images.js";
import { spoken, t } from "../lib/i18n.js";
import { withRun } from "../lib/runs.js";

/** @param {HTMLElement} root */
export const room = (root) => withRun(root, {
  fits: (run) => run.classes.length > 1,
  prefer: (run) => (run.family === "exact" ? 1 : 0),
  model: "mixture",
  minutes: 0.1,
  show,
});

/** Shares as points of a hundred, with their sign. @param {number} share */
const points = (share) => `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`;

/** @param {import("../lib/runs.js").Run} run @param {HTMLElement} place */
function show(run, place) {
  let each = 50, method = "logistic", leaving = new AbortController();
  const proof = el("div"), shown = el("div"), count = el("output.number", {}, String(each)), error = el("p.bad", { role: "alert" });
  const question = () => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ run: run.id, per_class: each, classifier: method }), signal: leaving.signal });
  const prove = async () => {
    begin.disabled = true;
    error.textContent = "";
    fill(shown);
    fill(proof, el("p.note", { role: "status" }, t("compare.wait")));
    try { told(unpacked(new Uint8Array(await (await ask("augment", question())).arrayBuffer()).subarray(4))); } catch (e) { if (!leaving.signal.aborted) { fill(proof); fill(error, spoken(e)); } }
    begin.disabled = false;
  };
  const told = (/** @type {import("../lib/api.js").Message} */ { values: v, arrays: { pictures: some } }) => {
    const range = (/** @type {number[]} */ [low, high]) => t("interval", { low: points(low), high: points(high) }), key = v.verdict.replaceAll(" ", ".");
    fill(proof, el("p.verdict", {}, t(`augment.${key}`)), el("p", {}, t("augment.gain", { gain: points(v.gain) }), " ", range(v.interval)),
      el("div.scroll", { tabIndex: 0, role: "region", "aria-label": t("augment.proof") }, el("table", {}, el("thead", {}, el("tr", {}, ["augment.set", "augment.accuracy", "augment.more"].map((k) => el("th", { scope: "col" }, t(k))))),
        el("tbody", {}, v.arms.map((/** @type {any} */ arm) => el("tr", {}, el("th", { scope: "row", style: { color: "var(--ink)" } }, t(`augment.arm.${arm.training}`)), el("td", {}, percent(arm.accuracy)), el("td", {}, arm.gain === null ? "–" : `${points(arm.gain)} ${t("between", { low: points(arm.interval[0]), high: points(arm.interval[1]) })}`)))))),
      el("p.note", {}, t("augment.note", { rows: v.rows })));
    fill(shown, some ? el("div.pictures", { style: { "--tile": "2.6rem" } }, pictures(some, (i) => t("augment.sample", { i: i + 1 }))) : null, el("p.note", {}, t("augment.refused", { n: v.n, refused: v.rejected })),
      el("div.gap", {}, button(t("augment.file"), save)));
    place.dataset.verdict = v.verdict;
    say(t(`augment.${key}`));
  };
  const save = async () => {
    try {
      const file = URL.createObjectURL(await (await ask("augment/file", question())).blob());
      el("a", { href: file, download: "augmented.npz" }).click();
      setTimeout(() => URL.revokeObjectURL(file), 10_000);
    } catch (e) { fill(error, spoken(e)); }
  };
  const begin = button(t("augment.begin"), prove, { kind: "main" });
  fill(place, el("div.sides", {},
    el("section.sheet", {}, el("h2", {}, t("augment.title")), el("p.formula", {}, "x ~ p(x | c)"),
      el("div.row", { style: { "justify-content": "space-between" } }, el("span.label", {}, t("augment.each")), count), slider({ min: 5, max: 200, step: 5, value: each, label: t("augment.each"), changed: (n) => { each = n; count.textContent = String(n); } }),
      el("div.row.gap", {}, field(t("augment.who"), select(["logistic", "svm"].map((m) => [m, t(`method.${m}`)]), method, (m) => { method = m; })), begin), el("div.gap", {}, shown)),
    el("section.sheet", {}, el("h2", {}, t("augment.proof")), el("p.note", {}, t("augment.lead")), el("div.gap", {}, proof), error)));
  return () => leaving.abort();
}
