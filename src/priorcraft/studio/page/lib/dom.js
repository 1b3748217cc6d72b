// @ts-check
/** Elements, and the numbers in them. */

/**
 * An element with its properties and children; `on` holds listeners, `data` attributes, false and null leave one out.
 * @param {string} name tag, with classes after dots
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | number | null | false | undefined | (Node | string | null | false)[])} children
 * @returns {any}
 */
export function el(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (key === "style") for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else if (key in node && !key.startsWith("aria") && key !== "list" && key !== "role") /** @type {any} */ (node)[key] = value;
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== false && child !== undefined).map((c) => (c instanceof Node ? c : String(c))));
  return node;
}

/** @param {Element} node @param {...any} children */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter((child) => child !== null && child !== false && child !== undefined));
}

let last = 0;
/** A control with a label of its own.
 * @param {string} text @param {any} control @param {string | Node} [note] */
export function field(text, control, note) {
  control.id ||= `f${++last}`;
  return el("div.field", {}, el("label", { htmlFor: control.id }, text), control, note && el("p.note", {}, note));
}

/** @param {[string, string][]} options value and text @param {string} value @param {(value: string) => void} changed */
export function select(options, value, changed) {
  const node = el("select", { on: { change: () => changed(node.value) } }, options.map(([v, text]) => el("option", { value: v, selected: v === value }, text)));
  return node;
}

/** @param {string} text @param {() => void} pressed @param {Record<string, any>} [more] */
export function button(text, pressed, more = {}) {
  const { kind, ...rest } = more;
  return el(kind ? `button.${kind}` : "button", { type: "button", on: { click: pressed }, ...rest }, text);
}

/** A button that chooses a file, whose name then stands beside it. @param {string} text @param {string} accept @param {(file: File) => void} taken @param {string} [label] */
export function chooser(text, accept, taken, label = text) {
  const name = el("span.note", { style: { margin: 0 } });
  const file = el("input.unseen", { type: "file", accept, tabIndex: -1, "aria-hidden": "true", on: { change: () => { if (file.files?.[0]) { name.textContent = file.files[0].name; taken(file.files[0]); } file.value = ""; } } });
  return el("div.row", { style: { "align-items": "center" } }, button(text, () => file.click(), { "aria-label": label }), name, file);
}

/**
 * One of several views of a room, chosen by its name.
 * @param {HTMLElement} root @param {[string, (place: HTMLElement) => Promise<(() => void) | void>][]} views
 * @returns {Promise<() => void>} what ends the one that is shown
 */
export async function views(root, views) {
  const place = el("div"), bar = el("div.row.views", { role: "group" });
  /** @type {(() => void) | void} */
  let end;
  let visit = 0;
  const open = async (/** @type {number} */ i) => {
    const mine = ++visit, fresh = el("div");
    bar.querySelectorAll("button").forEach((/** @type {Element} */ b, /** @type {number} */ j) => b.setAttribute("aria-pressed", String(i === j)));
    end?.();
    end = undefined;
    fill(place, fresh);
    const ends = await views[i][1](fresh);
    if (mine === visit) end = ends;
    else ends?.();
  };
  fill(bar, views.map(([name], i) => button(name, () => open(i), { "aria-pressed": "false" })));
  root.append(bar, place);
  await open(0);
  return () => { visit++; end?.(); };
}

/** A note that something is on its way, where that takes a moment; what is returned takes it away. @param {Element} place @param {string} text */
export function waiting(place, text) {
  const note = el("p.note", { role: "status" }, text), late = setTimeout(() => place.append(note), 250);
  return () => { clearTimeout(late); note.remove(); };
}

/** A table that scrolls by itself where it is wide. @param {string} label @param {any[]} head @param {any[][]} rows */
export const grid = (label, head, rows) => el("div.scroll", { tabIndex: 0, role: "region", "aria-label": label }, el("table", {}, el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))))));

/** A slider. @param {{min: number, max: number, step: number, value: number, changed: (value: number) => void, label?: string}} how */
export function slider({ min, max, step, value, changed, label }) {
  const node = el("input", { type: "range", min, max, step, "aria-label": label, on: { input: () => changed(Number(node.value)) } });
  node.value = String(value);
  return node;
}

/** A number with its kind: "=" exact, "≤" an upper bound, "≥" a lower one, "≈" an estimate, "" neither.
 * @param {string} kind @param {number | null | undefined} value @param {string} [unit] @param {number} [digits] */
export function number(kind, value, unit = "", digits = 1) {
  const text = value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits).replace("-", "−");
  return el("span.number", {}, kind && el("span.kind", {}, kind), text, unit && el("span.unit", {}, ` ${unit}`));
}

/** Figures side by side. @param {[string, any][]} items */
export function figures(items) {
  return el("dl.figures", {}, items.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** Says something to those who listen to the page. @param {string} text */
export function say(text) {
  const node = document.getElementById("said");
  if (node && node.textContent !== text) node.textContent = text;
}

/** @param {number} p */
export const percent = (p) => (p > 0 && p < 0.0005 ? "< 0.1 %" : `${(100 * p).toFixed(1)} %`);
