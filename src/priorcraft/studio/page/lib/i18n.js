// @ts-check
/** The page's words, in the reader's language: one file a language. */

export const LANGUAGES = { en: "English", ko: "한국어" };
/** @type {Record<string, string>} */
let words = {};
/** @type {Record<string, string>} */
let phrases = {};
export let language = "en";

/** @param {string} wanted */
export async function speak(wanted) {
  language = wanted in LANGUAGES ? wanted : "en";
  ({ phrases, ...words } = await (await fetch(`text/${language}.json`)).json());
  document.documentElement.lang = language;
  try { localStorage.setItem("language", language); } catch { /* a browser that keeps nothing */ }
}

/** The language that was chosen before, or the browser's. */
export function wanted() {
  let kept = null;
  try { kept = localStorage.getItem("language"); } catch { /* as above */ }
  return kept ?? (navigator.language.startsWith("ko") ? "ko" : "en");
}

/** A text; {name} stands for a value.
 * @param {string} key @param {Record<string, string | number>} [values] */
export function t(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** Words that the library says in English, in the reader's language where they are known; null where not. @param {string} text */
export const known = (text) => phrases[text] ?? null;

/** A sentence of the library, its known words in the reader's language. @param {string} text */
export const translated = (text) => Object.entries(phrases).reduce((whole, [from, to]) => whole.replaceAll(from, to), text);
