// @ts-check
/** Questions: every verb that asks a run; its form is made of its declaration. */
import { ask as request, get, post } from "../lib/api.js";
import { button, el, field, fill, say, select } from "../lib/dom.js";
import { spoken, t } from "../lib/i18n.js";
import { allRuns, short } from "../lib/runs.js";

/** @param {HTMLElement} root */
export async function room(root) {
  const [verbs, runs, about] = await Promise.all([get("verbs"), allRuns(), get("about")]), fitted = runs.filter((run) => run.state !== "empty");
  if (!fitted.length) return fill(root, el("div.sheet.empty", {}, el("p", {}, t("compare.none")), el("a", { href: "#/data" }, t("data.name"))));
  let asked = (fitted.find((run) => run.id === about.run) ?? fitted[0]).id; // the same for one question after another
  let verb = verbs.find((/** @type {any} */ v) => v.name === "score") ?? verbs[0];
  const form = el("div"), answer = el("div.scroll", { tabIndex: 0, role: "region", "aria-label": t("ask.answer") }), error = el("p.bad", { role: "alert" });
  /** @type {Record<string, () => any>} */
  let read = {};
  const build = () => {
    read = {};
    fill(answer);
    error.textContent = "";
    fill(form, el("p.note", {}, spoken(verb.summary)), Object.entries(verb.arguments.properties).map(([name, schema]) => control(name, schema)));
  };
  /** One argument's control, by its type. @param {string} name @param {any} schema */
  const control = (name, schema) => {
    if (name === "run") {
      read.run = () => asked;
      return field(t("run"), select(fitted.map((run) => [run.id, `${run.id} · ${short(run.data)}`]), asked, (id) => { asked = id; }));
    }
    if (schema.enum || schema.type === "boolean") {
      const node = select([["", "–"], ...(schema.enum ?? ["true", "false"]).map((/** @type {string} */ v) => [v, schema.enum ? word(v) : t(v)])], "", () => {});
      read[name] = () => (node.value === "" ? undefined : schema.enum ? node.value : node.value === "true");
      return field(label(name), node, spoken(schema.description));
    }
    if (verb.data.includes(name)) {
      const known_ = el("datalist", { id: `data-${name}` }, [...new Set([about.data, ...about.data_sets, ...about.uploads])].map((value) => el("option", { value })));
      const node = el("input", { type: "text", list: known_.id, placeholder: t("ask.data") });
      read[name] = () => value(node.value.trim(), schema.type, schema.items?.type);
      const one = field(label(name), node, spoken(schema.description));
      one.append(known_);
      return one;
    }
    const number_ = ["integer", "number"].includes(schema.type);
    const node = el("input", { type: number_ ? "number" : "text", step: schema.type === "number" ? "any" : "1", placeholder: schema.default ?? "" });
    read[name] = () => value(node.value.trim(), schema.type, schema.items?.type);
    return field(label(name), node, spoken(schema.description));
  };
  const ask = async () => {
    error.textContent = "";
    fill(answer, t("ask.wait"));
    const given = Object.fromEntries(Object.entries(read).map(([name, of]) => [name, of()]).filter(([, v]) => v !== undefined));
    try {
      const { shown, number, files } = await post(`verbs/${verb.name}`, { arguments: given });
      fill(answer, shown.map(piece), files.length ? el("div.row.gap", {}, files.map((/** @type {string} */ file) => button(t("ask.keep", { file }), () => keep(number, file, `${verb.name}-${file}`).catch((e) => { fill(error, spoken(e)); })))) : null);
      say(t("ask.done"));
    } catch (e) { fill(answer); fill(error, spoken(e)); }
  };
  fill(root, el("div.sides", {},
    el("section.sheet", {}, field(t("ask.question"), select(verbs.map((/** @type {any} */ v) => [v.name, word(v.name)]), verb.name, (name) => { verb = verbs.find((/** @type {any} */ v) => v.name === name); build(); })), form, el("div.gap", {}, button(t("ask.ask"), ask, { kind: "main" }))),
    el("section.sheet", {}, el("h2", {}, t("ask.answer")), answer, error)));
  build();
}

/** A name of the library, in the reader's language where it is known. @param {string} name */
const word = (name) => { const found = spoken(name); return typeof found === "string" ? found : name; };

/** The label of an argument. @param {string} name */
const label = (name) => word(name.replaceAll("_", " "));

/** A piece of an answer. @param {{words: string, facts: [string, string][], rows: string[][], picture: string}} shown */
function piece({ words, facts, rows, picture }) {
  const table = (/** @type {Node[]} */ ...parts) => el("table.gap", {}, words && el("caption", {}, spoken(words)), ...parts);
  if (facts.length) return table(el("tbody", {}, facts.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, spoken(name)), el("td", {}, word(value))))));
  if (rows.length) return table(el("thead", {}, el("tr", {}, rows[0].map((name) => el("th", { scope: "col" }, spoken(name))))), el("tbody", {}, rows.slice(1).map((row) => el("tr", {}, row.map((value) => el("td", {}, value))))));
  if (picture) return el("figure", { style: { margin: "1rem 0 0" } }, el("img", { src: `data:image/png;base64,${picture}`, alt: words, style: { "max-width": "100%" } }), el("figcaption.note", {}, spoken(words)));
  return el("p.note", {}, spoken(words));
}

/** Keeps a file of an answer. @param {number} number @param {string} file @param {string} name */
async function keep(number, file, name) {
  const href = URL.createObjectURL(await (await request(`answers/${number}/${file}`)).blob());
  el("a", { href, download: name }).click();
  URL.revokeObjectURL(href);
}

/** What was typed, as its type; "a=1, b=2" is an object, "1, 2" a list. @param {string} text @param {string} type @param {string} [items] */
function value(text, type, items) {
  if (text === "") return undefined;
  if (type === "integer" || type === "number") return Number(text);
  const parts = text.split(",").map((part) => part.trim());
  if (type === "array") return parts.map((part) => (items === "integer" ? Number(part) : part));
  return type === "object" ? Object.fromEntries(parts.map((part) => part.split("=", 2))) : text;
}
