// @ts-check
/** Raw bytes as pictures. */
import { el } from "./dom.js";

/**
 * Puts one picture of (h, w, c) bytes on a canvas.
 * @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} bytes @param {number} h @param {number} w @param {number} c @param {number} [start]
 */
export function paint(canvas, bytes, h, w, c, start = 0) {
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(w, h);
  for (let i = 0, from = start, to = 0; i < h * w; i++, from += c, to += 4) {
    image.data[to] = bytes[from];
    image.data[to + 1] = bytes[from + (c > 1 ? 1 : 0)];
    image.data[to + 2] = bytes[from + (c > 1 ? 2 : 0)];
    image.data[to + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** @param {string} [name] what it shows, for those who do not see it */
export function picture(name) {
  return name ? el("canvas", { width: 1, height: 1, role: "img", "aria-label": name }) : el("canvas", { width: 1, height: 1, "aria-hidden": "true" });
}

/** Canvases of pictures (n, h, w, c). @param {{data: ArrayLike<number>, shape: number[]}} array @param {(i: number) => string} [name] */
export function pictures({ data, shape: [n, h, w, c] }, name) {
  return Array.from({ length: n }, (_, i) => {
    const canvas = picture(name?.(i));
    paint(canvas, data, h, w, c, i * h * w * c);
    return canvas;
  });
}

/**
 * A picture file, cropped to a square of the model's size, as entries 0 ... levels - 1 in the order (c, h, w).
 * @param {Blob} file @param {number[]} shape @param {number} levels
 */
export async function entriesOf(file, [c, h, w], levels) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.max(w / bitmap.width, h / bitmap.height);
  const [sw, sh] = [w / scale, h / scale];
  const canvas = el("canvas", { width: w, height: h });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff";
  context.fillRect(0, 0, w, h);
  context.drawImage(bitmap, (bitmap.width - sw) / 2, (bitmap.height - sh) / 2, sw, sh, 0, 0, w, h);
  const { data } = context.getImageData(0, 0, w, h);
  const x = new Array(c * h * w);
  for (let i = 0; i < h * w; i++) {
    const [r, g, b] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
    const channels = c === 1 ? [0.299 * r + 0.587 * g + 0.114 * b] : [r, g, b];
    channels.forEach((value, k) => { x[k * h * w + i] = Math.round((value * (levels - 1)) / 255); });
  }
  return x;
}

/** Entries (c, h, w) as bytes (h, w, c). @param {ArrayLike<number>} x @param {number[]} shape @param {number} levels */
export function bytesOf(x, [c, h, w], levels) {
  const bytes = new Uint8Array(h * w * c);
  for (let k = 0; k < c; k++) for (let i = 0; i < h * w; i++) bytes[i * c + k] = Math.round((x[k * h * w + i] * 255) / (levels - 1));
  return bytes;
}
