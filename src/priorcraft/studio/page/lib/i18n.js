// @ts-check
/** The page's words, in the reader's language: one file a language. What the library says is known by its English. */
import { el } from "./dom.js";

export const LANGUAGES = { en: "English", ko: "한국어" };
/** @type {Record<string, string>} */
let words = {};
/** @type {Record<string, string>} */
let phrases = {};
/** Sentences and words of the library, "#" in the place of their numbers. @type {Record<string, string>} */
let sentences = {};
const NUMBER = /\d[\d,]*(?:\.\d+)?/g;
export let language = "en";

/** @param {string} wanted */
export async function speak(wanted) {
  language = wanted in LANGUAGES ? wanted : "en";
  ({ phrases, sentences, ...words } = await (await fetch(`text/${language}.json`)).json());
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

/** What the library says: in the reader's language where it is known, else in English, and marked so that it is read as English. @param {any} said a sentence, or an error @returns {any} */
export function spoken(said) {
  if (typeof said !== "string") return said.status === 0 ? t("gone") : spoken(said.message);
  if (language === "en") return said;
  const found = sentences[said.replace(NUMBER, "#")], numbers = said.match(NUMBER) ?? [];
  return found === undefined ? el("span", { lang: "en" }, said) : found.replace(/\{(\d+)\}/g, (whole, i) => numbers[i] ?? whole);
}
