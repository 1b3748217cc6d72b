// @ts-check
/** Compare: runs side by side, and one sentence for the question. */
import { post } from "../lib/api.js";
import { button, el, field, fill, grid, number, say, select } from "../lib/dom.js";
import { spoken, t } from "../lib/i18n.js";
import { allRuns, short } from "../lib/runs.js";

/** Questions, each with who can answer it and what makes one answer better; smaller is better. @type {Record<string, {can: (line: any) => boolean, cost: (line: any) => number, why: (line: any) => string}>} */
const QUESTIONS = {
  probability: { can: (l) => l.nats !== null, cost: (l) => l.nats + (l.sign === "=" ? 0 : 1e-6), why: (l) => t(l.sign === "=" ? "why.exact" : "why.bound", { nats: l.nats.toFixed(2) }) },
  fill: { can: (l) => l.family === "exact" || l.can.includes("approximate"), cost: (l) => (l.family === "exact" ? 0 : 1e6) + l.nats, why: (l) => t(l.family === "exact" ? "why.fill.exact" : "why.fill.chain", { nats: l.nats.toFixed(2) }) },
  fast: { can: () => true, cost: (l) => l.sampling, why: (l) => t("why.fast", { ms: (1000 * l.sampling).toFixed(0) }) },
  latent: { can: (l) => l.can.includes("latent"), cost: (l) => (l.can.includes("encoder") ? 0 : 1e6) + (l.nats ?? 1e5), why: (l) => t(l.can.includes("encoder") ? "why.encoder" : "why.decoder") },
};

/** @param {HTMLElement} root */
export async function room(root) {
  const runs = (await allRuns()).filter((run) => run.state !== "empty" && !run.can.includes("translate"));
  if (!runs.length) return fill(root, el("div.sheet.empty", {}, el("p", {}, t("compare.none")), el("a", { href: "#/data" }, t("data.name"))));
  const size = (/** @type {string} */ group) => runs.filter((run) => run.data === group).length;
  const groups = [...new Set(runs.map((run) => run.data))].sort((a, b) => size(b) - size(a)); // first where there is most to compare
  const leaving = new AbortController();
  let group = groups[0], question = "probability";
  /** @type {any[]} */
  let lines = [];
  const table = el("div.scroll", { tabIndex: 0, role: "region", "aria-label": t("compare.name") }), answer = el("p.lead", { style: { "margin-bottom": 0 } }), wait = el("p.note", { role: "status" });
  const judge = () => {
    const how = QUESTIONS[question], best = lines.filter(how.can).sort((a, b) => how.cost(a) - how.cost(b))[0];
    const text = best ? t("compare.use", { question: t(`question.${question}`), run: best.run, why: how.why(best) }) : t("compare.nobody");
    fill(answer, text);
    say(text);
  };
  let turn = 0;
  const measure = async () => {
    const mine = ++turn, chosen = runs.filter((run) => run.data === group).slice(0, 12);
    lines = [];
    fill(whole);
    fill(answer);
    try {
      for (const [i, run] of chosen.entries()) {
        wait.textContent = t("compare.of", { i: i + 1, n: chosen.length, run: run.id });
        tabulate();
        const found = await post("compare", { runs: [run.id] }, leaving.signal);
        if (mine !== turn) return;
        lines = [...lines, ...found].sort((a, b) => (a.nats ?? Infinity) - (b.nats ?? Infinity));
      }
    } catch (e) { if (mine === turn && !leaving.signal.aborted) fill(wait, spoken(e)); return; }
    wait.textContent = "";
    tabulate();
    judge();
  };
  const tabulate = () => fill(table, el("table", {}, el("thead", {}, el("tr", {}, ["run", "data.family", "compare.nats", "compare.bits", "compare.sampling", "compare.minutes", "compare.can"].map((k) => el("th", { scope: "col" }, t(k))))), el("tbody", {}, lines.map((line) => el("tr", {}, el("th", { scope: "row", style: { color: "var(--ink)" } }, line.run), el("td", {}, t(`family.${line.family}`)), el("td", {}, number(line.sign, line.nats, line.error === null ? "" : `± ${line.error.toFixed(2)}`, 2)), el("td", {}, number(line.sign, line.bits, "", 3)), el("td", {}, number("", 1000 * line.sampling, "ms", 0)), el("td", {}, duration(line.minutes)), el("td", {}, line.can.map((/** @type {string} */ c) => t(`can.${c}`)).join(", ")))))));
  const whole = el("div"), begin = button(t("compare.report.begin"), async () => {
    begin.disabled = true;
    fill(whole, el("p.note", { role: "status" }, t("compare.wait")));
    try {
      const { lines: told, html } = await post("report", { runs: lines.map((line) => line.run) });
      const names = [...new Set(told.flatMap((/** @type {any} */ line) => Object.keys(line)))];
      const file = URL.createObjectURL(new Blob([html], { type: "text/html" }));
      fill(whole, grid(t("compare.report"), names, told.map((/** @type {any} */ line) => names.map((name) => said(line[name])))),
        el("p.note", {}, el("a", { href: file, download: "report.html" }, t("compare.report.file"))));
      say(t("ask.done"));
    } catch (e) { fill(whole, el("p.bad", { role: "alert" }, spoken(e))); }
    begin.disabled = false;
  });
  fill(root, el("div.row", {}, groups.length > 1 ? field(t("data.data"), select(groups.map((g) => [g, short(g)]), group, (g) => { group = g; measure(); })) : null, field(t("compare.question"), select(Object.keys(QUESTIONS).map((q) => [q, t(`question.${q}`)]), question, (q) => { question = q; judge(); })), button(t("again"), measure)),
    el("div.sheet.gap", {}, answer, wait), el("div.sheet.gap", {}, table, el("p.note", {}, t("compare.note"))),
    el("div.sheet.gap", {}, el("h2", {}, t("compare.report")), el("p.note", {}, t("compare.report.note")), el("div.gap", {}, begin), whole));
  measure();
  return () => leaving.abort();
}

/** @param {number} minutes */
const duration = (minutes) => (minutes < 1.5 ? number("", 60 * minutes, "s", minutes < 0.15 ? 1 : 0) : number("", minutes, "min", 1));

/** A cell of the report's table. @param {any} value */
const said = (value) => (value === null || value === undefined ? "–" : typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value));
