// @ts-check
/** Translate: an image in another domain or under another label, and how well that does on held-out rows. */
import { arrays, newest, post } from "../lib/api.js";
import { chooser, el, field, fill, number, percent, say, select } from "../lib/dom.js";
import { bytesOf, entriesOf, paint, picture, pictures } from "../lib/images.js";
import { spoken, t } from "../lib/i18n.js";
import { gallery, withRun } from "../lib/runs.js";

/** @param {HTMLElement} root */
export const room = (root) => withRun(root, {
  fits: (run) => run.shape.length === 3 && (run.can.includes("translate") || (["flat-vae", "ladder-vae"].includes(run.member) && run.classes.length > 1)),
  prefer: (run) => (run.can.includes("translate") ? 1 : 0),
  model: "flat-vae",
  minutes: 0.4,
  settings: { latent: 8 },
  paired: true,
  show,
});

/** @param {import("../lib/runs.js").Run} run @param {HTMLElement} place */
async function show(run, place) {
  const paired = run.can.includes("translate"), leaving = new AbortController();
  let to = paired ? -1 : run.classes.length - 1, label = -1, x = /** @type {number[]} */ ([]), shape = run.shape, levels = run.levels ?? 2;
  const input = picture(t("translate.from")), answers = el("div.pictures", { style: { "grid-template-columns": "repeat(4, 1fr)" } });
  const proof = el("div", { role: "status" }), error = el("p.bad", { role: "alert" });

  const ask = newest(async (/** @type {any} */ question, signal) => {
    const message = await arrays("translate", { run: run.id, ...question }, signal);
    error.textContent = "";
    if (!message) return;
    fill(answers, pictures(message.arrays.pictures, (i) => t("evidence.draw", { i: i + 1 })));
    place.dataset.answers = String(Number(place.dataset.answers ?? 0) + 1);
    say(t("translate.said", { n: message.arrays.pictures.shape[0] }));
  }, (e) => { fill(error, spoken(e)); });
  const prove = newest(async (/** @type {number} */ goal, signal) => {
    fill(proof, el("p.note", {}, t("compare.wait")));
    try {
      const told = await post("translate/proof", { run: run.id, to: goal }, signal);
      fill(proof, el("p", {}, t(`translate.proof.${told.how}`, { ...told, to: run.classes[goal] ?? "" })),
        el("p.figure", {}, number("", 100 * (told.hits / told.n), "%", 0), el("span.note", {}, ` ${t("interval", { low: percent(told.low), high: percent(told.high) })}`)));
    } catch (e) { fill(proof, el("p.note", {}, spoken(e))); }
  });
  const look = () => { paint(input, bytesOf(x, shape, levels), shape[1], shape[2], shape[0]); ask({ x, label, to }); };
  const rows = await gallery(run, (row, _, y) => { x = row; label = paired ? -1 : y; look(); }, paired ? { path: `runs/${run.id}/domain` } : { n: 24 });
  if (paired) ({ shape, levels } = rows.values);
  const photo = chooser(t("evidence.photo"), "image/*", async (file) => {
    try { x = await entriesOf(file, shape, levels); label = -1; look(); } catch { error.textContent = t("evidence.bad"); }
  });
  fill(place, el("div.sides", {},
    el("section", {}, el("div.stage", { style: { "max-width": "22rem" } }, input), el("div.gap", {}, rows.node), el("div.gap", {}, photo, el("p.note", {}, t("translate.photo")))),
    el("section", {},
      el("div.sheet", {}, paired ? null : field(t("translate.to"), select(run.classes.map((name, i) => /** @type {[string, string]} */ ([String(i), name])), String(to), (v) => { to = Number(v); look(); prove(to); })),
        el("p.formula", {}, paired ? "x ~ p(b | a)" : "z ~ q(z | x, c),  x′ = E[x | z, c′]"), answers, error, el("p.note", {}, t(paired ? "translate.note.pairs" : "translate.note"))),
      el("div.sheet", {}, el("h2", {}, t("translate.proof")), proof))));
  prove(to);
  return () => leaving.abort();
}
