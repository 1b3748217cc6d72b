// @ts-check
/** Bars and lines. */
import { el, percent } from "./dom.js";

/**
 * Bars of probabilities, updated in place.
 * @param {string[]} names @param {{label: string, small?: boolean}} how
 * @returns {{node: HTMLElement, show: (p: ArrayLike<number>, before?: ArrayLike<number>) => void}}
 */
export function bars(names, { label, small = false }) {
  const rows = names.map((name) => {
    const fill = el("div.fill", { style: { transform: "scaleX(0)" } });
    const mark = el("div.before", { hidden: true });
    return { name: el("span", {}, name), fill, mark, track: el("div.track", {}, fill, mark), value: el("span.value", {}, "–") };
  });
  const node = el(small ? "div.bars.small" : "div.bars", { role: "group", "aria-label": label }, rows.flatMap((r) => [r.name, r.track, r.value]));
  const show = (/** @type {ArrayLike<number>} */ p, /** @type {ArrayLike<number> | undefined} */ before) => {
    let best = 0;
    for (let i = 1; i < p.length; i++) if (p[i] > p[best]) best = i;
    rows.forEach((row, i) => {
      row.fill.style.transform = `scaleX(${Math.max(0, Math.min(1, p[i] || 0))})`;
      row.value.textContent = Number.isFinite(p[i]) ? percent(p[i]) : "–";
      row.value.classList.toggle("best", i === best && p[i] > 0);
      row.name.classList.toggle("best", i === best && p[i] > 0);
      row.mark.hidden = !before;
      if (before) row.mark.style.left = `calc(${100 * Math.min(1, before[i])}% - 1px)`;
    });
  };
  return { node, show };
}

const SVG = "http://www.w3.org/2000/svg";
/** @param {string} name @param {Record<string, any>} attributes @param {string} [text] */
function shape(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  if (text !== undefined) node.textContent = text;
  return node;
}

/**
 * Lines over a common x.
 * @param {{name: string, points: [number, number][]}[]} series @param {{label: string, height?: number, unit?: string, from?: number, logarithmic?: boolean, width?: number}} how width: of its place, in pixels
 */
export function lines(series, { label, height = 150, unit = "", from, logarithmic = false, width: room = 480 }) {
  const width = Math.min(Math.max(room, 240), 1100), left = 52, bottom = 20, top = 8;
  const at = (/** @type {number} */ x) => (logarithmic ? Math.log10(x) : x);
  const all = series.flatMap((s) => s.points).filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  const svg = shape("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  if (all.length) {
    const [x0, x1] = span(all.map(([x]) => at(x))), [low, y1] = span(all.map(([, y]) => y)), y0 = from === undefined ? low : Math.min(from, low);
    const X = (/** @type {number} */ x) => left + ((at(x) - x0) / (x1 - x0 || 1)) * (width - left - 8);
    const Y = (/** @type {number} */ y) => height - bottom - ((y - y0) / (y1 - y0 || 1)) * (height - bottom - top);
    for (const y of [y0, (y0 + y1) / 2, y1]) {
      svg.append(shape("line", { class: "axis", x1: left, x2: width - 8, y1: Y(y), y2: Y(y) }));
      svg.append(shape("text", { x: left - 6, y: Y(y) + 4, "text-anchor": "end" }, short(y, (y1 - y0) / 2)));
    }
    const first = logarithmic ? 10 ** x0 : x0, end = logarithmic ? 10 ** x1 : x1;
    svg.append(shape("text", { x: left, y: height - 4 }, short(first)), shape("text", { x: width - 8, y: height - 4, "text-anchor": "end" }, `${short(end)} ${unit}`));
    series.forEach((s, i) => {
      const path = s.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)).map(([x, y], j) => `${j ? "L" : "M"}${X(x).toFixed(1)} ${Y(y).toFixed(1)}`).join("");
      svg.append(shape("path", { class: `s${i}`, d: path }));
    });
  }
  return el("div", {}, svg, el("ul.legend", {}, series.map((s, i) => el(`li.k${i}`, {}, s.name))));
}

/** @param {number[]} values */
function span(values) {
  let low = Infinity, high = -Infinity;
  for (const v of values) { low = Math.min(low, v); high = Math.max(high, v); }
  return [low, high];
}

/** A number on an axis, with as many decimals as tell it from its neighbours. @param {number} value @param {number} [step] */
function short(value, step = 0) {
  if (Math.abs(value) >= 1e4) return value.toExponential(0);
  const text = step > 0 ? value.toFixed(Math.min(4, Math.max(0, 1 - Math.floor(Math.log10(step))))) : String(Number(value.toPrecision(3)));
  return text.replace("-", "−");
}
