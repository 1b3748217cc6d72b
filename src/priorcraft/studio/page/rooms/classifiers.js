// @ts-check
/** Two kinds of classifier: draw a digit, and both move. */
import { arrays, newest, post } from "../lib/api.js";
import { bars, lines } from "../lib/charts.js";
import { button, el, field, figures, fill, number, percent, say, select, slider } from "../lib/dom.js";
import { bytesOf, paint } from "../lib/images.js";
import { spoken, t } from "../lib/i18n.js";
import { Pad } from "../lib/pad.js";
import { normalised, posterior } from "../lib/probability.js";
import { gallery, withRun } from "../lib/runs.js";

/** @param {HTMLElement} root */
export const room = (root) => withRun(root, {
  fits: (run) => run.classes.length > 1 && run.shape.length === 3 && run.shape[0] === 1 && run.family !== "implicit",
  prefer: (run) => (run.family === "exact" ? 2 : 0) + (run.can.includes("order") ? 1 : 0),
  model: "mixture",
  minutes: 0.1,
  show,
});

/** @param {import("../lib/runs.js").Run} run @param {HTMLElement} place */
async function show(run, place) {
  const [, height, width] = run.shape, top = (run.levels ?? 2) - 1, size = height * width;
  let x = new Array(size).fill(0);
  /** @type {number[][]} */
  const past = [];
  /** @type {any} */
  let told = null;
  /** @type {any} */
  let learned = null;
  /** log p(x) of held-out rows, the smallest first. @type {number[]} */
  let usual = [];
  let method = "logistic";
  /** @type {number | null} */
  let turned = null;
  let share = 0;

  const leaving = new AbortController();
  const generative = bars(run.classes, { label: t("classifiers.generative") });
  const direct = bars(run.classes, { label: t("classifiers.discriminative") });
  const verdict = el("p", { role: "status" }), numbers = el("div");
  const error = el("p.bad", { role: "alert" });

  const picture = el("canvas", { width: 1, height: 1, hidden: true });
  const pad = new Pad({
    columns: width, rows: height, label: t("classifiers.pad"),
    begin: () => { past.push([...x]); if (past.length > 100) past.shift(); },
    touch: ({ x: cx, y: cy, erase }) => { stamp(cx, cy, erase); changed(); },
    draw: (context, cell) => {
      paint(picture, bytesOf(x, run.shape, top + 1), height, width, 1);
      context.imageSmoothingEnabled = false;
      context.drawImage(picture, 0, 0, width * cell, height * cell);
    },
    key: (e) => { if (e.key === "u") { undo(); return true; } return false; },
  });
  const radius = Math.max(0.75, width / 18);
  const stamp = (/** @type {number} */ cx, /** @type {number} */ cy, /** @type {boolean} */ erase) => {
    const reach = Math.ceil(radius) + 1;
    for (let v = Math.max(0, cy - reach); v <= Math.min(height - 1, cy + reach); v++) {
      for (let u = Math.max(0, cx - reach); u <= Math.min(width - 1, cx + reach); u++) {
        const ink = Math.max(0, Math.min(1, radius + 0.6 - Math.hypot(u - cx, v - cy))) * top, i = v * width + u;
        x[i] = erase ? Math.min(x[i], Math.round(top - Math.min(top, ink * 1.5))) : Math.max(x[i], Math.round(Math.min(top, ink)));
      }
    }
  };
  const undo = () => { x = past.pop() ?? x; changed(); pad.show(); };

  const failed = (/** @type {Error} */ e) => { fill(error, spoken(e)); };
  const question = newest(async (/** @type {number[]} */ drawn, signal) => {
    told = await arrays("classify", { run: run.id, x: drawn }, signal);
    error.textContent = "";
    answer();
  }, failed);
  const directly = newest(async (/** @type {any} */ asked, signal) => {
    learned = await arrays("classify/direct", { run: run.id, ...asked }, signal);
    answer();
  }, failed);
  arrays("classify/usual", { run: run.id }).then((message) => { usual = Array.from(message?.arrays.log_p.data ?? []); answer(); }).catch(failed);
  const empty = () => !x.some((ink) => ink > 0);
  const changed = () => {
    directly({ x: [...x], method }); // of an empty paper, too: learning begins before the first stroke
    if (empty()) nothing(); else question([...x]);
  };
  const nothing = () => { told = null; fill(numbers); verdict.className = "note"; verdict.textContent = t("classifiers.begin"); const none = run.classes.map(() => NaN); generative.show(none); direct.show(none); };

  const answer = () => {
    if (!told || empty()) return;
    const { log_likelihood: likelihood, log_prior: prior } = told.arrays;
    const chosen = Array.from(prior.data, (p, c) => (turned === null ? p : Math.log(c === turned ? share : (1 - share) * (Math.exp(p) / (1 - Math.exp(prior.data[turned]))))));
    const p = posterior(chosen, likelihood.data);
    generative.show(p, chosen.map(Math.exp));
    if (learned) {
      const { direct: log, prior: seen } = learned.arrays;
      direct.show(normalised(Array.from(log.data, (v, c) => v + (turned === null ? 0 : chosen[c] - seen.data[c]))));
    }
    judge(told.values);
    const best = p.indexOf(Math.max(...p));
    say(t("classifiers.said", { name: run.classes[best], p: percent(p[best]) }));
  };
  /** How usual the drawing is: its place among held-out rows. @param {{log_p: number, kind: string}} values */
  const judge = ({ log_p: value, kind }) => {
    const sign = kind === "exact" ? "=" : "≤", n = usual.length;
    const at = (/** @type {number} */ share) => usual[Math.min(n - 1, Math.floor(share * n))];
    fill(numbers, figures([[t("classifiers.surprise"), number(sign, -value, "nats", 1)], [t("classifiers.typical"), number(sign, n ? -at(0.5) : NaN, "nats", 1)]]));
    const low = n > 0 && value < at(0.01), high = n > 0 && value > at(0.99);
    verdict.className = low || high ? "warning" : "note";
    verdict.textContent = !n ? t("compare.wait") : low ? t("classifiers.unusual") : high ? t("classifiers.plain") : t("classifiers.usual", { share: percent(usual.filter((v) => v < value).length / n) });
  };

  const value = el("output.number");
  const strength = slider({ min: 0.001, max: 0.999, step: 0.001, value: 1 / run.classes.length, label: t("classifiers.prior"), changed: (v) => { share = v; value.textContent = percent(v); if (turned === null) { turned = Number(who.value || 0); who.value = String(turned); } answer(); } });
  share = 1 / run.classes.length;
  value.textContent = percent(share);
  const who = select([["", t("classifiers.as.trained")], ...run.classes.map((name, i) => /** @type {[string, string]} */ ([String(i), name]))], "", (v) => { turned = v === "" ? null : Number(v); answer(); });
  const chosen = await gallery(run, (row) => { past.push([...x]); x = [...row]; changed(); pad.show(); }, { n: 20, first: null });

  fill(place, el("div.sides", {},
    el("section", {}, pad.node,
      el("div.row.gap", {}, button(t("clear"), () => { past.push([...x]); x = new Array(size).fill(0); changed(); pad.show(); }), button(t("undo"), undo)),
      el("p.note", {}, t("classifiers.keys")), verdict, numbers, error, el("h2.gap", {}, t("classifiers.or")), chosen.node),
    el("section", {},
      el("div.sheet", {}, el("h2", {}, t("classifiers.generative")), el("p.formula", {}, "p(c | x) = p(x | c) p(c) / p(x)"), generative.node, el("p.note", {}, t("classifiers.mark"))),
      el("div.sheet", {}, el("h2", {}, t("classifiers.discriminative")), el("p.formula", {}, "p(c | x)"), direct.node,
        el("div.row.gap", {}, field(t("classifiers.method"), select(["logistic", "network", "svm", "boosting"].map((m) => [m, t(`method.${m}`)]), method, (m) => { method = m; learned = null; direct.show(run.classes.map(() => NaN)); changed(); })))),
      el("div.sheet", {}, el("h2", {}, t("classifiers.prior")), el("div.row", {}, field(t("classifiers.class"), who), value), strength, el("p.note", {}, t("classifiers.prior.note"))))));
  place.append(curve(run, leaving.signal));
  pad.show();
  changed();
  return () => leaving.abort();
}

/** How much both kinds learn from how many labels. @param {import("../lib/runs.js").Run} run @param {AbortSignal} signal */
function curve(run, signal) {
  const shown = el("div", { role: "status" });
  const measure = async () => {
    begin.disabled = true;
    fill(shown, el("p.note", {}, t("compare.wait")));
    try {
      const points = await post("classify/curve", { run: run.id }, signal);
      const names = [...new Set(points.map((/** @type {any} */ p) => p.classifier))];
      const series = names.map((name) => ({ name: t(`curve.${name}`), points: points.filter((/** @type {any} */ p) => p.classifier === name).map((/** @type {any} */ p) => /** @type {[number, number]} */ ([p.per_class, 100 * p.accuracy])) }));
      fill(shown, lines(series, { label: t("classifiers.curve"), unit: t("classifiers.labels"), logarithmic: true, width: shown.clientWidth }));
    } catch (e) { if (!signal.aborted) fill(shown, el("p.bad", { role: "alert" }, spoken(e))); }
    begin.disabled = false;
  };
  const begin = button(t("classifiers.measure"), measure);
  return el("div.sheet.gap", {}, el("h2", {}, t("classifiers.curve")), el("p.note", {}, t("classifiers.curve.note")), el("div.row", {}, begin), el("div.gap", {}, shown));
}
