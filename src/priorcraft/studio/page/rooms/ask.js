// @ts-check
/** Questions: every verb that asks a run; its form is made of its declaration. */
import { get, post } from "../lib/api.js";
import { button, el, field, fill, say, select } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { allRuns } from "../lib/runs.js";

/** @param {HTMLElement} root */
export async function room(root) {
  const [verbs, runs] = await Promise.all([get("verbs"), allRuns()]), fitted = runs.filter((run) => run.state !== "empty");
  if (!fitted.length) return fill(root, el("div.sheet.empty", {}, el("p", {}, t("compare.none")), el("a", { href: "#/data" }, t("data.name"))));
  let verb = verbs.find((/** @type {any} */ v) => v.name === "score") ?? verbs[0];
  const form = el("div"), answer = el("pre", { tabIndex: 0, role: "region", "aria-label": t("ask.answer") }), error = el("p.bad", { role: "alert" });
  /** @type {Record<string, () => any>} */
  let read = {};
  const build = () => {
    read = {};
    fill(answer);
    error.textContent = "";
    fill(form, el("p.note", {}, verb.summary), Object.entries(verb.arguments.properties).map(([name, schema]) => control(name, schema)));
  };
  /** One argument's control, by its type. @param {string} name @param {any} schema */
  const control = (name, schema) => {
    if (name === "run") {
      const node = select(fitted.map((run) => [run.id, run.id]), fitted[0].id, () => {});
      read.run = () => node.value;
      return field(t("run"), node);
    }
    if (schema.enum || schema.type === "boolean") {
      const node = select([["", "–"], ...(schema.enum ?? ["true", "false"]).map((/** @type {string} */ v) => [v, v])], "", () => {});
      read[name] = () => (node.value === "" ? undefined : schema.enum ? node.value : node.value === "true");
      return field(name, node, schema.description);
    }
    const number_ = ["integer", "number"].includes(schema.type);
    const node = el("input", { type: number_ ? "number" : "text", step: schema.type === "number" ? "any" : "1", placeholder: schema.default ?? "" });
    read[name] = () => value(node.value.trim(), schema.type, schema.items?.type);
    return field(name, node, schema.description);
  };
  const ask = async () => {
    error.textContent = "";
    fill(answer, t("ask.wait"));
    const given = Object.fromEntries(Object.entries(read).map(([name, of]) => [name, of()]).filter(([, v]) => v !== undefined));
    try {
      const { text } = await post(`verbs/${verb.name}`, { arguments: given });
      answer.textContent = text;
      say(t("ask.done"));
    } catch (e) { fill(answer); error.textContent = /** @type {Error} */ (e).message; }
  };
  fill(root, el("div.sides", {},
    el("section.sheet", {}, field(t("ask.question"), select(verbs.map((/** @type {any} */ v) => [v.name, v.name]), verb.name, (name) => { verb = verbs.find((/** @type {any} */ v) => v.name === name); build(); })), form, el("div.gap", {}, button(t("ask.ask"), ask, { kind: "main" }))),
    el("section.sheet", {}, el("h2", {}, t("ask.answer")), answer, error)));
  build();
}

/** What was typed, as its type; "a=1, b=2" is an object, "1, 2" a list. @param {string} text @param {string} type @param {string} [items] */
function value(text, type, items) {
  if (text === "") return undefined;
  if (type === "integer" || type === "number") return Number(text);
  const parts = text.split(",").map((part) => part.trim());
  if (type === "array") return parts.map((part) => (items === "integer" ? Number(part) : part));
  return type === "object" ? Object.fromEntries(parts.map((part) => part.split("=", 2))) : text;
}
