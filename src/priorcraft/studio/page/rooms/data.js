// @ts-check
/** Data: dropped on the page, looked at, and fitted. */
import { arrays, ask, get, post } from "../lib/api.js";
import { button, el, field, figures, fill, grid, number, say, select, waiting } from "../lib/dom.js";
import { pictures } from "../lib/images.js";
import { spoken, t } from "../lib/i18n.js";
import { allRuns, follow, short } from "../lib/runs.js";

const SIZES = [8, 16, 28, 32, 48, 64], FIRST_SIZE = 32; // to which images of a folder are brought: larger ones take minutes to learn

/** @param {HTMLElement} root */
export async function room(root) {
  const about = await get("about"), watching = new AbortController();
  const shown = el("div.sheet"), trainings = el("div"), runs = el("div.scroll", { tabIndex: 0, role: "region", "aria-label": t("data.runs") });
  let source = about.data;
  /** How the data are read. @type {{label?: string | null, size?: number | null}} */
  let reading = {};

  const open = async () => {
    const there = waiting(shown, t("loading"));
    try {
      const message = await arrays("data", { source, ...reading }, watching.signal);
      if (!message) return;
      if (message.values.folder && reading.size === undefined && Math.max(...message.values.shape.slice(1)) > FIRST_SIZE) { reading = { size: FIRST_SIZE }; return await open(); }
      fill(shown, told(message, reading, (change) => { reading = { ...reading, ...change }; open(); }));
      say(t("data.said", { name: message.values.name }));
    } catch (e) { fill(shown, el("p.bad", { role: "alert" }, spoken(e))); } finally { there(); }
  };
  const chosen = (/** @type {string} */ s) => { source = s; reading = {}; return open(); };
  const sources = el("div");
  const own = [...about.uploads];
  const choices = () => fill(sources, field(t("data.source"), select([...new Set([about.data, ...about.data_sets, ...own])].map((s) => [s, short(s)]), source, chosen)));
  const drop = dropping(async (files, progress) => {
    const { id } = await post(`uploads?name=${encodeURIComponent(called(files))}`);
    try {
      for (let i = 0; i < files.length; i++) {
        await ask(`uploads/${id}?name=${encodeURIComponent(files[i].name)}`, { method: "POST", body: files[i].file, signal: watching.signal });
        progress(t("data.sent", { i: i + 1, n: files.length }));
      }
    } catch (e) { await ask(`uploads/${id}`, { method: "DELETE" }).catch(() => {}); throw e; }
    own.unshift(id);
    source = id;
    choices();
    await chosen(id);
  });

  const known = new Set();
  const watch = (/** @type {string} */ run) => {
    if (known.has(run)) return;
    known.add(run);
    const sheet = el("div.sheet", { "data-run": run }), stop = button(t("data.stop"), () => post(`runs/${run}/stop`).catch(() => {}));
    fill(sheet, el("div.row", { style: { "justify-content": "space-between" } }, el("h2", {}, run), stop), follow(run, (state, error) => {
      stop.remove();
      known.delete(run);
      if (state === "failed") sheet.append(el("p.bad", { role: "alert" }, error ?? ""));
      else sheet.append(el("p.note", {}, t(`state.${state}`)));
      list();
    }, watching.signal));
    trainings.prepend(sheet);
  };
  let seed = 0;
  const drawn = el("div", { role: "status" });
  const draw = async (/** @type {string} */ run) => {
    const there = waiting(drawn, t("ask.wait"));
    try { fill(drawn, samples(run, /** @type {any} */ (await arrays("sample", { run, n: 20, seed: seed++ }, watching.signal)))); } catch (e) { fill(drawn, el("p.bad", { role: "alert" }, spoken(e))); } finally { there(); }
  };
  /** What can be done with a run. @param {import("../lib/runs.js").Run} run */
  const actions = (run) => el("div.row", { style: { "flex-wrap": "nowrap" } },
    run.state === "stopped" && button(t("data.resume"), async () => { await post(`runs/${run.id}/resume`); setTimeout(() => watch(run.id), 300); }, { "aria-label": t("data.resume.run", { run: run.id }) }),
    run.state !== "empty" && !run.can.includes("translate") && button(t("data.sample"), () => draw(run.id), { "aria-label": t("data.samples", { run: run.id }) }));
  const list = async () => {
    const all = await allRuns();
    all.filter((run) => run.state === "running").forEach((run) => watch(run.id));
    fill(runs, all.length ? el("table", {}, el("thead", {}, el("tr", {}, ["run", "data.data", "data.family", "data.score", "data.state", "data.do"].map((k) => el("th", { scope: "col" }, t(k))))), el("tbody", {}, all.map((run) => el("tr", {}, el("th", { scope: "row", style: { color: "var(--ink)", "font-size": ".95rem" } }, run.id, run.id.startsWith(run.model) ? null : el("span.note", {}, ` ${run.model}`)), el("td", {}, short(run.data)), el("td", {}, t(`family.${run.family}`)), el("td", {}, number(run.family === "implicit" ? "" : run.family === "exact" ? "=" : "≤", run.nats, run.nats === null ? "" : "nats", 2)), el("td", {}, el(`span.state.${run.state}`, {}, t(`state.${run.state}`))), el("td", {}, actions(run)))))) : el("p.note", {}, t("data.none")));
  };

  const model = select(Object.entries(about.models).map(([name, family]) => [name, `${name} · ${t(`family.${family}`)}`]), "vae", () => {});
  const minutes = el("input", { type: "number", min: 0.1, max: 1440, step: 0.1 });
  minutes.value = "0.5";
  const setting = el("input", { type: "text", placeholder: "latent=8", maxLength: 200 });
  const said = el("p.bad", { role: "alert" });
  const fit = async (/** @type {string[]} */ models) => {
    said.textContent = "";
    try {
      for (const name of models) {
        const settings = Object.fromEntries((models.length > 1 ? "" : setting.value).split(/[\s,]+/).filter(Boolean).map((/** @type {string} */ pair) => pair.split("=", 2)));
        const { run } = await post("fit", { data: source, model: name, minutes: Number(minutes.value), settings, ...reading });
        watch(run);
      }
    } catch (e) { fill(said, spoken(e)); }
  };
  fill(root, el("div.sides", {},
    el("section", {}, drop, el("div.gap", {}, sources), el("div.gap", {}, shown)),
    el("section", {},
      el("div.sheet", {}, el("h2", {}, t("data.fit")), el("p.note", {}, t("data.fit.note")), el("div.row.gap", {}, field(t("data.model"), model), field(t("data.minutes"), minutes), field(t("data.settings"), setting)), el("div.row", {}, button(t("data.begin"), () => fit([model.value]), { kind: "main", id: "fit" }), button(t("data.all"), () => fit(["autoregressive", "vae", "gan"]))), said),
      el("div.gap", {}, trainings))), el("div.sheet.gap", {}, el("h2", {}, t("data.runs")), runs, drawn));
  choices();
  await Promise.all([open(), list()]);
  return () => watching.abort();
}

/** Samples of a run, as pictures or as rows. @param {string} run @param {import("../lib/api.js").Message} message */
function samples(run, { values, arrays: { pictures: images } }) {
  const name = t("data.samples", { run });
  if (values.cells) return [el("h2.gap", {}, name), grid(name, values.columns, values.cells)];
  return images ? [el("h2.gap", {}, name), el("div.pictures", { style: { "--tile": "2.6rem" } }, pictures(images, (i) => t("latent.step", { i: i + 1 })))] : el("p.note", {}, t("data.numbers"));
}

/** What data were read as. @param {import("../lib/api.js").Message} message @param {{label?: string | null, size?: number | null}} reading @param {(change: {label?: string | null, size?: number | null}) => void} read */
function told(message, reading, read) {
  const v = message.values, words = v.shape.length === 3 ? t(v.shape[0] === 1 ? "data.grey" : "data.colour", { h: v.shape[1], w: v.shape[2] }) : t("data.table", { n: v.columns.length || v.shape[0] });
  const columns = v.columns.length ? [
    el("div.row.gap", {}, field(t("data.label"), select([["", "–"], ...v.columns.map((/** @type {string} */ name) => [name, name])], v.label ?? "", (name) => read({ label: name || null })))),
    el("div.gap", {}, grid(t("data.first"), v.columns, v.first)), el("h3.gap", {}, t("data.read")), el("ul.notes", { lang: "en" }, v.read.map((/** @type {string} */ line) => el("li", {}, line)))] : null;
  const size = v.folder ? el("div.row.gap", {}, field(t("data.size"), select([["", t("data.size.own")], ...SIZES.map((n) => /** @type {[string, string]} */ ([String(n), `${n} × ${n}`]))], String(reading.size ?? ""), (n) => read({ size: Number(n) || null })), t("data.size.note"))) : null;
  return [el("h2", {}, v.name), el("p", {}, v.columns.length ? words : `${words}, ${v.levels === null ? t("data.reals") : t("data.levels", { n: v.levels })}`),
    figures([[t("data.train"), v.rows.train], [t("data.valid"), v.rows.valid], [t("data.test"), v.rows.test], [t("data.classes"), v.classes.length || "–"]]),
    message.arrays.pictures ? el("div.pictures.gap", { style: { "--tile": "2.6rem" } }, pictures(message.arrays.pictures)) : null, ...(columns ?? []), size,
    v.notes.length > 0 && el("ul.notes", {}, v.notes.map((/** @type {string} */ note) => el("li", {}, spoken(note))))];
}

/**
 * A place to drop files and folders on, which is a file chooser too.
 * @param {(files: {name: string, file: File}[], progress: (text: string) => void) => Promise<void>} taken
 */
function dropping(taken) {
  const said = el("p", { role: "status", style: { margin: ".6rem 0 0" } });
  const files = el("input.unseen", { type: "file", multiple: true, tabIndex: -1, "aria-hidden": "true", on: { change: () => take(Array.from(files.files ?? [], (file) => ({ name: file.name, file }))) } });
  const folder = el("input.unseen", { type: "file", webkitdirectory: true, tabIndex: -1, "aria-hidden": "true", on: { change: () => take(Array.from(folder.files ?? [], (file) => ({ name: file.webkitRelativePath.split("/").slice(1).join("/"), file }))) } });
  const take = async (/** @type {{name: string, file: File}[]} */ found) => {
    const kept = found.filter(({ name }) => !name.split("/").pop()?.startsWith("."));
    if (!kept.length) return;
    said.className = "";
    try { await taken(kept, (text) => { said.textContent = text; }); } catch (e) { said.className = "bad"; fill(said, spoken(e)); }
    files.value = folder.value = "";
  };
  const node = el("div.drop", { on: {
    dragover: (/** @type {DragEvent} */ e) => { e.preventDefault(); node.classList.add("over"); }, dragleave: () => node.classList.remove("over"),
    drop: async (/** @type {DragEvent} */ e) => { e.preventDefault(); node.classList.remove("over"); take((await Promise.all(Array.from(e.dataTransfer?.items ?? [], dropped))).flat()); },
  } }, el("p", {}, t("data.drop")), el("div.row", { style: { "justify-content": "center" } }, button(t("data.files"), () => files.click()), button(t("data.folder"), () => folder.click())), files, folder, said);
  return node;
}

/** What files of an upload are called together: the one file's name, or the folder's. @param {{name: string, file: File}[]} files */
const called = (files) => (files.length === 1 ? files[0].file.name : files[0].file.webkitRelativePath.split("/")[0] || files[0].name.split("/").slice(0, -1)[0] || "");

/** The files of one thing that was dropped; what comes from another page is a file without a place. @param {DataTransferItem} item */
function dropped(item) {
  const entry = item.webkitGetAsEntry?.(), file = item.getAsFile();
  if (entry) return walked(entry, "");
  return Promise.resolve(file ? [{ name: file.name, file }] : []);
}

/**
 * Every file of what was dropped, named from inside the folder that was dropped.
 * @param {any} entry @param {string | null} prefix null for what was dropped itself @returns {Promise<{name: string, file: File}[]>}
 */
async function walked(entry, prefix) {
  if (!entry) return [];
  if (entry.isFile) return new Promise((done) => entry.file((/** @type {File} */ file) => done([{ name: (prefix ?? "") + file.name, file }]), () => done([])));
  const reader = entry.createReader(), inside = [];
  for (let some; (some = await new Promise((done) => reader.readEntries(done, () => done([])))).length; ) inside.push(...some);
  return (await Promise.all(inside.map((one) => walked(one, prefix === null ? "" : `${prefix}${entry.name}/`)))).flat();
}
