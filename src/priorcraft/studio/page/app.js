// @ts-check
/** The frame: rooms, language, light and dark. */
import { el, fill, waiting } from "./lib/dom.js";
import { LANGUAGES, language, speak, spoken, t, wanted } from "./lib/i18n.js";
import { room as ask } from "./rooms/ask.js";
import { room as bayes } from "./rooms/bayes.js";
import { room as classifiers } from "./rooms/classifiers.js";
import { room as compare } from "./rooms/compare.js";
import { room as data } from "./rooms/data.js";
import { room as evidence } from "./rooms/evidence.js";
import { room as game } from "./rooms/game.js";
import { room as latent } from "./rooms/latent.js";
import { room as order } from "./rooms/order.js";
import { room as vae } from "./rooms/vae.js";

/** @type {Record<string, (root: HTMLElement) => Promise<(() => void) | void> | (() => void) | void>} */
const ROOMS = { data, bayes, classifiers, latent, order, vae, game, evidence, compare, ask };
const THEMES = ["auto", "light", "dark"];

const main = /** @type {HTMLElement} */ (document.getElementById("room"));
const nav = /** @type {HTMLElement} */ (document.getElementById("rooms"));
const theme = /** @type {HTMLButtonElement} */ (document.getElementById("theme"));
const languages = /** @type {HTMLSelectElement} */ (document.getElementById("language"));
const dark = matchMedia("(prefers-color-scheme: dark)");

/** @type {(() => void) | void} */
let leave;
let visit = 0;

const here = () => location.hash.slice(2).split("?")[0] || "data";

async function enter() {
  const name = here() in ROOMS ? here() : "data", mine = ++visit;
  leave?.();
  leave = undefined;
  frame(name);
  const root = el("div", { id: `room-${name}` });
  fill(main, el("h1", {}, t(`${name}.title`)), el("p.lead", {}, marked(t(`${name}.lead`))), root);
  document.title = `${t(`${name}.title`)} · priorcraft studio`;
  const there = waiting(root, t("loading"));
  try {
    const end = await ROOMS[name](root);
    if (mine === visit) leave = end;
    else end?.();
  } catch (error) {
    if (mine === visit) fill(root, problem(/** @type {any} */ (error)));
  } finally {
    there();
  }
}

/** @param {Error} error */
function problem(error) {
  return el("div.sheet", {}, el("p.bad", { role: "alert" }, spoken(error)), el("button", { type: "button", on: { click: enter } }, t("again")));
}

/** A sentence in which *words* are marked. @param {string} text */
export function marked(text) {
  return text.split("*").map((part, i) => (i % 2 ? el("em", {}, part) : part));
}

/** @param {string} name */
function frame(name) {
  nav.setAttribute("aria-label", t("rooms"));
  fill(nav, el("ul", {}, Object.keys(ROOMS).map((room) => el("li", {}, el("a", { href: `#/${room}`, "aria-current": room === name && "page" }, t(`${room}.name`))))));
  nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  fill(languages, Object.entries(LANGUAGES).map(([code, text]) => el("option", { value: code, selected: code === language, lang: code }, text)));
  languages.setAttribute("aria-label", t("language"));
  /** @type {HTMLElement} */ (document.getElementById("skip")).textContent = t("skip");
  dress();
}

function dress() {
  let kept = "auto";
  try { kept = localStorage.getItem("theme") ?? "auto"; } catch { /* a browser that keeps nothing */ }
  const shown = kept === "auto" ? (dark.matches ? "dark" : "light") : kept;
  document.documentElement.dataset.theme = shown;
  theme.textContent = { auto: "◐", light: "○", dark: "●" }[kept] ?? "◐";
  theme.setAttribute("aria-label", t("theme", { now: t(`theme.${kept}`) }));
  theme.title = t(`theme.${kept}`);
  theme.onclick = () => {
    const next = THEMES[(THEMES.indexOf(kept) + 1) % THEMES.length];
    try { localStorage.setItem("theme", next); } catch { /* as above */ }
    dress();
    dispatchEvent(new Event("dressed"));
  };
}

languages.addEventListener("change", async () => { await speak(languages.value); await enter(); });
dark.addEventListener("change", dress);
addEventListener("hashchange", () => enter().then(() => main.focus()));
/** @type {HTMLElement} */ (document.getElementById("skip")).addEventListener("click", (e) => { e.preventDefault(); main.focus(); });
await speak(wanted());
enter();
document.documentElement.dataset.ready = "yes";
