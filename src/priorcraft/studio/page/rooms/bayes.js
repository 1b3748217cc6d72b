// @ts-check
/** Bayes: a prior as a slider, evidence piece by piece. Everything is worked out in the page. */
import { ask, post } from "../lib/api.js";
import { bars } from "../lib/charts.js";
import { button, chooser, el, field, figures, fill, number, percent, say, select, slider } from "../lib/dom.js";
import { spoken, t } from "../lib/i18n.js";
import { Joint, beliefs } from "../lib/probability.js";

/** p(disease, test 1, test 2): one in a hundred is ill; the tests are independent given the disease. */
function disease() {
  const ill = [0.01, 0.99], positive = [0.9, 0.05], second = [0.8, 0.1];
  const yes = t("bayes.yes"), no = t("bayes.no"), plus = t("bayes.positive"), minus = t("bayes.negative");
  const p = [];
  for (const d of [0, 1]) for (const a of [0, 1]) for (const b of [0, 1]) p.push(ill[d] * (a ? 1 - positive[d] : positive[d]) * (b ? 1 - second[d] : second[d]));
  return new Joint({ [t("bayes.disease")]: [yes, no], [t("bayes.test", { n: 1 })]: [plus, minus], [t("bayes.test", { n: 2 })]: [plus, minus] }, p);
}

/** @param {HTMLElement} root */
export function room(root) {
  const place = el("div");
  const file = chooser(t("choose"), ".csv", (chosen) => own(chosen), t("bayes.file"));
  const said = el("p.note", { role: "status" });
  const own = async (/** @type {File} */ chosen) => {
    try {
      const { id } = await post(`uploads?name=${encodeURIComponent(chosen.name)}`);
      await ask(`uploads/${id}?name=${encodeURIComponent(chosen.name)}`, { method: "POST", body: chosen });
      const { axes, p, ranged, dropped, holes } = await post("bayes", { source: id });
      const notes = [t("bayes.read", { cells: p.length }), holes && t("bayes.holes", { n: holes }), ranged.length && t("bayes.ranged", { names: ranged.join(", ") }), dropped.length && t("bayes.dropped", { names: dropped.join(", ") })];
      said.textContent = notes.filter(Boolean).join(" ");
      show(place, new Joint(axes, p));
    } catch (error) {
      fill(said, spoken(error));
    }
  };
  root.append(place, el("div.sheet.gap", {}, el("h2", {}, t("bayes.own")), el("p.note", {}, t("bayes.own.how")), file, said));
  show(place, disease());
}

/** @param {HTMLElement} place @param {Joint} joint */
function show(place, joint) {
  const names = Object.keys(joint.axes);
  let query = names[0];
  /** @type {[string, string][]} */
  let evidence = [];
  /** @type {number[]} */
  let prior = [];

  const build = () => {
    evidence = [];
    const states = joint.axes[query];
    prior = Array.from(joint.marginal(query));
    const chart = bars(states, { label: t("bayes.belief") });
    const steps = el("ol.chips"), formula = el("p.formula"), numbers = el("div");
    const sliders = states.slice(0, 12).map((state, i) => slider({ min: 0, max: 1, step: 0.001, value: prior[i], label: t("bayes.prior.of", { state }), changed: (value) => turn(i, value) }));
    const shown = sliders.map(() => el("output.number"));

    const turn = (/** @type {number} */ i, /** @type {number} */ value) => {
      const rest = prior.reduce((sum, p, j) => (j === i ? sum : sum + p), 0);
      prior = prior.map((p, j) => (j === i ? value : rest > 0 ? (p / rest) * (1 - value) : (1 - value) / (prior.length - 1)));
      update();
    };
    const update = () => {
      sliders.forEach((node, j) => { if (document.activeElement !== node) node.value = String(prior[j]); shown[j].textContent = percent(prior[j]); });
      const found = beliefs(joint, query, prior, evidence);
      const last = found[found.length - 1];
      chart.show(last.posterior, prior);
      fill(steps, evidence.map(([name, state], i) => el("li", {}, button(`${name} = ${state} ✕`, () => { evidence.splice(i, 1); update(); choices(); }, { "aria-label": t("bayes.take", { piece: `${name} = ${state}` }) }))));
      fill(formula, evidence.length ? formulaOf(query, evidence) : `p(${query})`);
      if (evidence.length) fill(numbers, last.possible ? figures([[t("bayes.likelihood"), range(last.likelihood)], [t("bayes.evidence"), number("=", last.evidence, "", 4)], [t("bayes.bits"), number("=", last.bits, "bit", 2)]]) : el("p.warning", {}, t("bayes.impossible")));
      else fill(numbers, el("p.note", {}, t("bayes.none")));
      if (evidence.length && last.possible) numbers.append(el("p.note", {}, `${t("bayes.product")} `, el("span", {}, both(states[0], evidence[evidence.length - 1][1], found))), el("p.note", {}, `${t("bayes.sum")} ${summed(found)}`), el("p.note", {}, `${t("bayes.path", { state: states[0] })} `, el("span.number", {}, found.map((step) => percent(step.posterior[0])).join(" → "))));
      const best = last.posterior.indexOf(Math.max(...last.posterior));
      say(t("bayes.said", { state: states[best], p: percent(last.posterior[best]) }));
    };
    const asked = el("div.row");
    const choices = () => fill(asked, names.filter((name) => name !== query && !evidence.some(([n]) => n === name)).slice(0, 12).map((name) => {
      const node = select([["", "…"], ...joint.axes[name].map((s) => /** @type {[string, string]} */ ([s, s]))], "", (state) => { if (state) { evidence.push([name, state]); update(); choices(); } });
      return field(name, node);
    }));

    fill(place, el("div.sides", {},
      el("section.sheet", {}, el("div.row", {}, field(t("bayes.query"), select(names.map((n) => [n, n]), query, (name) => { query = name; build(); }))), formula, chart.node, el("p.note", {}, t("bayes.mark")), el("div.gap", {}, numbers)),
      el("section.sheet", {}, el("h2", {}, t("bayes.prior")), sliders.map((node, i) => el("div.field", {}, el("div.row", { style: { "justify-content": "space-between" } }, el("span.label", {}, states[i]), shown[i]), node)),
        el("h2.gap", {}, t("bayes.seen")), asked, el("div.gap", {}, steps))));
    choices();
    update();
  };
  build();
}

/** @param {string} query @param {[string, string][]} evidence */
function formulaOf(query, evidence) {
  const seen = evidence.map(([, state]) => state).join(", ");
  return [el("b", {}, `p(${query} | ${seen})`), ` = p(${seen} | ${query}) p(${query}) / p(${seen})`];
}

/** The product rule both ways, p(h | e) p(e) = p(h, e) = p(e | h) p(h), for the first state and the last piece. @param {string} state @param {string} piece @param {ReturnType<typeof beliefs>} found */
function both(state, piece, found) {
  const before = found[found.length - 2].posterior[0], { likelihood, evidence, posterior } = found[found.length - 1], p = (/** @type {number} */ v) => (Number.isFinite(v) ? v : 0).toFixed(4);
  return `p(${state} | ${piece}) p(${piece}) = ${p(posterior[0])} × ${p(evidence)} = ${p(posterior[0] * evidence)} = ${p(likelihood[0])} × ${p(before)} = p(${piece} | ${state}) p(${state})`;
}

/** The sum rule of the last piece: its likelihood under each state times the belief before it. @param {ReturnType<typeof beliefs>} found */
function summed(found) {
  const before = found[found.length - 2].posterior, { likelihood, evidence } = found[found.length - 1];
  const terms = likelihood.map((l, h) => `${(Number.isFinite(l) ? l : 0).toFixed(3)} × ${before[h].toFixed(3)}`);
  return `${terms.slice(0, 3).join(" + ")}${terms.length > 3 ? " + …" : ""} = ${evidence.toFixed(4)}`;
}

/** @param {number[]} values */
function range(values) {
  const there = values.filter(Number.isFinite);
  return el("span.number", {}, el("span.kind", {}, "="), there.slice(0, 3).map((v) => v.toFixed(3)).join(" · ") + (there.length > 3 ? " …" : ""));
}
