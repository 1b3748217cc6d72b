// @ts-check
/** Evidence in a table: cells of a row are hidden, and follow from the others, each with its probabilities. */
import { get, newest, post } from "../lib/api.js";
import { bars } from "../lib/charts.js";
import { button, el, field, fill, grid, say, select, waiting } from "../lib/dom.js";
import { spoken, t, translated } from "../lib/i18n.js";

/** @param {import("../lib/runs.js").Run} run @param {HTMLElement} place */
export async function show(run, place) {
  const table = await get(`runs/${run.id}/table`), DRAWS = 8;
  let seed = 0;
  const hidden = new Set(), inputs = /** @type {Record<string, HTMLInputElement>} */ ({});
  const beliefs = el("div"), drawn = el("div");
  const said = el("p.note", { role: "status" }), notes = el("div", {}, said), error = el("p.bad", { role: "alert" });

  const question = newest(async (/** @type {any} */ asked, signal) => {
    const there = waiting(notes, t("ask.wait"));
    const answer = await post("cells", { run: run.id, n: DRAWS, ...asked }, signal).finally(there);
    error.textContent = "";
    shows(answer);
  }, (e) => { fill(error, spoken(e)); });
  const ask = () => {
    if (!hidden.size) { fill(beliefs); fill(drawn); said.textContent = t("cells.begin"); return; }
    question({ seed, cells: Object.fromEntries(table.columns.map((/** @type {string} */ name) => [name, hidden.has(name) ? null : inputs[name].value])) });
  };
  const shows = (/** @type {any} */ answer) => {
    const exact = answer.kind === "exact";
    fill(said, el("span.number", {}, el("span.kind", {}, exact ? "=" : "≈")), ` ${t(exact ? "evidence.exact" : "evidence.approximate")} · ${translated(answer.method)}`);
    fill(beliefs, answer.beliefs.map((/** @type {any} */ belief) => {
      const chart = bars(belief.states, { label: `p(${belief.column} | ${t("evidence.seen")})`, small: true });
      chart.show(belief.p);
      return el("div", { "data-column": belief.column, style: { "margin-bottom": "1.1rem" } }, el("p.formula", { style: { margin: "0 0 .3rem" } }, el("span.number", {}, el("span.kind", {}, belief.kind === "exact" ? "=" : "≈")), ` p(${belief.column} | `, el("b", {}, t("evidence.seen")), ")"), chart.node);
    }));
    const columns = answer.beliefs.filter((/** @type {any} */ b) => b.draws.length);
    fill(drawn, grid(t("evidence.draws"), [t("cells.draw"), ...columns.map((/** @type {any} */ b) => b.column)], Array.from({ length: DRAWS }, (_, i) => [i + 1, ...columns.map((/** @type {any} */ b) => b.draws[i] || t("cells.empty"))])));
    place.dataset.hidden = String(answer.beliefs.length);
    say(t("cells.said", { n: answer.beliefs.length }));
  };

  const hide = (/** @type {string} */ name, /** @type {boolean} */ on) => { if (on) hidden.add(name); else hidden.delete(name); inputs[name].disabled = on; };
  const marks = /** @type {Record<string, HTMLInputElement>} */ ({});
  const lines = table.columns.map((/** @type {string} */ name) => {
    inputs[name] = el("input", { type: "text", "aria-label": t("cells.value", { name }), on: { input: ask } });
    marks[name] = el("input", { type: "checkbox", "aria-label": t("cells.hide.of", { name }), on: { change: () => { hide(name, marks[name].checked); ask(); } } });
    return el("tr", {}, el("th", { scope: "row", style: { color: "var(--ink)", "font-size": ".92rem", "overflow-wrap": "anywhere" } }, name, name === table.label && el("span.note", {}, ` ${t("class")}`)), el("td", {}, inputs[name]), el("td", {}, el("label.check", {}, marks[name], t("cells.hide"))));
  });
  const load = (/** @type {number} */ i) => { table.columns.forEach((/** @type {string} */ name, /** @type {number} */ k) => { inputs[name].value = table.rows[i][k]; const gone = table.rows[i][k] === ""; marks[name].checked = gone; hide(name, gone); }); ask(); };
  const all = (/** @type {boolean} */ on) => { for (const name of table.columns) { marks[name].checked = on; hide(name, on); } ask(); };
  fill(place, el("div.sides", {},
    el("section.sheet", {}, el("div.row", {}, field(t("cells.row"), select(table.rows.map((/** @type {any} */ _, /** @type {number} */ i) => [String(i), String(i + 1)]), "0", (i) => load(Number(i)))), button(t("cells.hide.all"), () => all(true)), button(t("cells.hide.none"), () => all(false))),
      el("table.cells.gap", {}, el("tbody", {}, lines)), el("p.note", {}, t("cells.note"))),
    el("section", {},
      el("div.sheet", {}, el("h2", {}, t("cells.beliefs")), notes, error, el("div.gap", {}, beliefs)),
      el("div.sheet", {}, el("div.row", { style: { "justify-content": "space-between" } }, el("h2", {}, t("evidence.draws")), button(t("evidence.again"), () => { seed++; ask(); })), drawn))));
  load(0);
}
