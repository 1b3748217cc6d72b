// @ts-check
/** A grid of cells that a pen, a finger or the keyboard goes over. */
import { el } from "./dom.js";

/**
 * @typedef {{x: number, y: number, erase: boolean, first: boolean}} Touch one cell that the pen enters
 */

/**
 * The keyboard: arrows move a cursor, space paints while it is held or pressed, x or Delete erases.
 */
export class Pad {
  /**
   * @param {{columns: number, rows: number, label: string, touch: (touch: Touch) => void, end?: () => void, begin?: () => void, draw: (context: CanvasRenderingContext2D, cell: number) => void, key?: (event: KeyboardEvent) => boolean}} how
   */
  constructor(how) {
    this.how = how;
    const { columns, rows } = how;
    this.cell = Math.max(2, Math.floor(640 / Math.max(columns, rows)));
    this.cursor = [Math.floor(columns / 2), Math.floor(rows / 2)];
    this.inside = false;
    /** @type {[number, number] | null} */
    this.last = null;
    this.canvas = el("canvas", { width: columns * this.cell, height: rows * this.cell, tabIndex: 0, role: "application", "aria-label": how.label, on: {
      pointerdown: (/** @type {PointerEvent} */ e) => this.down(e), pointermove: (/** @type {PointerEvent} */ e) => this.move(e),
      pointerup: () => this.up(), pointercancel: () => this.up(), contextmenu: (/** @type {Event} */ e) => e.preventDefault(),
      keydown: (/** @type {KeyboardEvent} */ e) => this.key(e), focus: () => { this.inside = true; this.show(); }, blur: () => { this.inside = false; this.show(); },
    } });
    this.node = el("div.stage", { style: { "aspect-ratio": `${columns} / ${rows}` } }, this.canvas);
    this.byKey = false;
  }

  /** @param {PointerEvent} e @returns {[number, number]} */
  at(e) {
    const box = this.canvas.getBoundingClientRect();
    const x = Math.floor(((e.clientX - box.left) / box.width) * this.how.columns), y = Math.floor(((e.clientY - box.top) / box.height) * this.how.rows);
    return [Math.min(Math.max(x, 0), this.how.columns - 1), Math.min(Math.max(y, 0), this.how.rows - 1)];
  }

  /** @param {PointerEvent} e */
  down(e) {
    this.canvas.setPointerCapture(e.pointerId);
    this.byKey = false;
    this.erase = e.button === 2 || e.altKey;
    this.how.begin?.();
    this.last = this.at(e);
    this.cursor = this.last;
    this.how.touch({ x: this.last[0], y: this.last[1], erase: this.erase, first: true });
    this.show();
  }

  /** @param {PointerEvent} e */
  move(e) {
    if (!this.last) return;
    for (const one of e.getCoalescedEvents?.() ?? [e]) {
      const to = this.at(one);
      for (const [x, y] of between(this.last, to)) this.how.touch({ x, y, erase: Boolean(this.erase), first: false });
      this.last = to;
    }
    this.cursor = this.last;
    this.show();
  }

  up() {
    if (!this.last) return;
    this.last = null;
    this.how.end?.();
    this.show();
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    if (e.ctrlKey || e.metaKey || this.how.key?.(e)) return;
    const step = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] })[e.key];
    const erase = e.key === "x" || e.key === "Delete" || e.key === "Backspace";
    if (step) {
      const [x, y] = [this.cursor[0] + step[0], this.cursor[1] + step[1]];
      this.cursor = [Math.min(Math.max(x, 0), this.how.columns - 1), Math.min(Math.max(y, 0), this.how.rows - 1)];
      if (e.shiftKey) this.dab(false);
    } else if (e.key === " " || e.key === "Enter" || erase) this.dab(erase);
    else return;
    e.preventDefault();
    this.byKey = true;
    this.show();
  }

  /** @param {boolean} erase */
  dab(erase) {
    this.how.begin?.();
    this.how.touch({ x: this.cursor[0], y: this.cursor[1], erase, first: true });
    this.how.end?.();
  }

  show() {
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.how.draw(context, this.cell);
    if (!this.inside || !this.byKey) return;
    context.strokeStyle = "#e0662f";
    context.lineWidth = 3;
    context.strokeRect(this.cursor[0] * this.cell + 1.5, this.cursor[1] * this.cell + 1.5, this.cell - 3, this.cell - 3);
  }
}

/** The cells on the way from one to another, the first left out. @param {[number, number]} a @param {[number, number]} b @returns {[number, number][]} */
export function between([ax, ay], [bx, by]) {
  const n = Math.max(Math.abs(bx - ax), Math.abs(by - ay));
  return Array.from({ length: n }, (_, i) => [Math.round(ax + ((bx - ax) * (i + 1)) / n), Math.round(ay + ((by - ay) * (i + 1)) / n)]);
}
