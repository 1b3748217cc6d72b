// @ts-check
/** Questions to the server on this machine. */

const token = take();
const page = Math.random().toString(36).slice(2);

/** The token of the address, kept for this tab and taken out of sight. */
function take() {
  const given = new URLSearchParams(location.search).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname + location.hash);
  }
  return given ?? sessionStorage.getItem("token") ?? "";
}

/** A refusal, in a sentence. */
export class Refused extends Error {
  /** @param {number} status @param {string} sentence */
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** @param {string} path @param {RequestInit} [how] */
export async function ask(path, how = {}) {
  const headers = { Authorization: `Bearer ${token}`, "X-Page": page, ...(how.headers ?? {}) };
  let answer;
  try {
    answer = await fetch(`/api/${path}`, { ...how, headers });
  } catch (error) {
    if (how.signal?.aborted) throw error;
    throw new Refused(0, "gone");
  }
  if (!answer.ok) throw new Refused(answer.status, await sentence(answer));
  return answer;
}

/** @param {Response} answer */
async function sentence(answer) {
  try { return (await answer.json()).error; } catch { return answer.statusText; }
}

/** @param {any} body @returns {RequestInit} */
const json = (body) => ({ method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

/** @param {string} path @param {AbortSignal} [signal] */
export const get = async (path, signal) => (await ask(path, { signal })).json();

/** @param {string} path @param {any} [body] @param {AbortSignal} [signal] */
export const post = async (path, body = {}, signal) => (await ask(path, { ...json(body), signal })).json();

/**
 * @typedef {{values: any, arrays: Record<string, {data: Uint8Array | Float32Array | Int32Array, shape: number[]}>}} Message
 */

/** An answer of arrays. @param {string} path @param {any} [body] @param {AbortSignal} [signal] @returns {Promise<Message | null>} */
export async function arrays(path, body, signal) {
  const answer = await ask(path, body === undefined ? { signal } : { ...json(body), signal });
  return answer.status === 204 ? null : unpacked(new Uint8Array(await answer.arrayBuffer()).subarray(4));
}

/** Messages of arrays as they come. @param {string} path @param {any} body @param {(message: Message) => void} each @param {AbortSignal} signal */
export async function stream(path, body, each, signal) {
  const reader = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ ((await ask(path, { ...json(body), signal })).body).getReader();
  /** @type {Uint8Array<ArrayBuffer>} */
  let held = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const joined = new Uint8Array(held.length + value.length);
    joined.set(held);
    joined.set(value, held.length);
    held = joined;
    for (let size; held.length >= 4 && held.length >= 4 + (size = new DataView(held.buffer, held.byteOffset).getUint32(0, true)); held = held.slice(4 + size)) {
      each(unpacked(held.slice(4, 4 + size)));
    }
  }
}

const KINDS = { u1: Uint8Array, f4: Float32Array, i4: Int32Array };

/** @param {Uint8Array} bytes @returns {Message} */
export function unpacked(bytes) {
  const whole = bytes.byteOffset % 4 ? bytes.slice() : bytes;
  const length = new DataView(whole.buffer, whole.byteOffset).getUint32(0, true);
  const values = JSON.parse(new TextDecoder().decode(whole.subarray(4, 4 + length)));
  /** @type {Message["arrays"]} */
  const found = {};
  let place = 4 + length;
  for (const [name, kind, shape] of values.arrays ?? []) {
    const Kind = KINDS[/** @type {keyof typeof KINDS} */ (kind)];
    const count = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    found[name] = { data: new Kind(/** @type {ArrayBuffer} */ (whole.buffer), whole.byteOffset + place, count), shape };
    place += 4 * Math.ceil((count * Kind.BYTES_PER_ELEMENT) / 4);
  }
  if (values.refused) throw new Refused(400, values.refused);
  return { values, arrays: found };
}

/** Records of a training as they are written. @param {string} run @param {(event: any) => void} each @param {AbortSignal} signal */
export async function events(run, each, signal) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ ((await ask(`runs/${run}/events`, { signal })).body).getReader();
  const decoder = new TextDecoder();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += decoder.decode(value, { stream: true });
    const parts = held.split("\n\n");
    held = parts.pop() ?? "";
    for (const part of parts) {
      const line = part.split("\n").find((l) => l.startsWith("data: "));
      if (line) each(JSON.parse(line.slice(6)));
    }
  }
}

/**
 * Calls that replace one another: while one is under way only the newest of those that wait is kept.
 * @template T
 * @param {(question: T, signal: AbortSignal) => Promise<void>} work
 * @param {(error: Error) => void} [failed]
 * @param {() => boolean} [abort] whether a newer question may end the one under way now
 */
export function newest(work, failed = () => {}, abort = () => false) {
  /** @type {T | undefined} */
  let waiting;
  /** @type {AbortController | null} */
  let current = null;
  const next = async () => {
    while (waiting !== undefined) {
      const question = waiting;
      waiting = undefined;
      current = new AbortController();
      try {
        await work(question, current.signal);
      } catch (error) {
        const refused = /** @type {any} */ (error);
        if (refused.name !== "AbortError" && refused.status !== 409) failed(refused);
      }
    }
    current = null;
  };
  return (/** @type {T} */ question) => {
    waiting = question;
    if (!current) next();
    else if (abort()) current.abort();
  };
}
