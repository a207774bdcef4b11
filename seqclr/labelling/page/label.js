// The web page: modes, keys, saving and undoing.

import { data, load, send } from "./data.js";
import * as grid from "./grid.js";
import { addFindings, addOptions, dependsOnPredictions, isFinding, openContradicted } from "./lists.js";
import * as one from "./one.js";
import * as progress from "./progress.js";

const POLL = 1000; // milliseconds between two looks at the server
const get = (id) => document.getElementById(id);
const undos = []; // lists of labels that bring back what was before
let mode = one;
let counted = 0; // labels that were saved since the page was opened
let isByKey = false; // whether a list is used by keyboard: it keeps the focus then, so that the keys go on in it
let isChecked = false; // whether the findings of `seqclr check` were asked for since all images are predicted

export function say(text, isError = false) {
  get("status").textContent = text;
  get("status").classList.toggle("error", isError);
}

// Saves labels {image, text, source}; they can be undone. said: what the page says then, instead of their number.
export async function save(labels, said) {
  const before = labels.map(({ image }) => {
    const { text, source } = data.images[image];
    return { image, text, source: source || "removed" };
  });
  if (!(await deliver(labels))) return;
  const more = said ? 0 : labels.length;
  undos.push({ labels: before, more });
  counted += more;
  say(said ?? `Saved. ${counted} since the page was opened.`);
}

async function deliver(labels) {
  try {
    await send(labels);
    return true;
  } catch (error) {
    const lost = labels.filter(({ image, text }) => text && error.images?.includes(image)).map(({ text }) => text);
    say(`Not saved: ${error.message}${lost.length ? `. Your text: ${lost.join(", ")}` : ""}`, true);
    mode.goTo(labels[0].image);
    return false;
  }
}

async function undo() {
  if (!undos.length) return say("There is nothing to undo.");
  const { labels, more } = undos.pop();
  const done = deliver(labels);
  mode.goTo(labels[0].image);
  if (!(await done)) return;
  counted -= more;
  say(labels.length === 1 ? "Undone." : `Undone: ${labels.length} labels.`);
}

function setMode(chosen) {
  say("");
  mode = chosen;
  for (const [name, module] of Object.entries({ one, grid })) {
    get(name).hidden = module !== mode;
    get(`mode-${name}`).setAttribute("aria-pressed", module === mode);
  }
  mode.open();
}

addEventListener("keydown", (event) => {
  isByKey = true;
  if (event.key === "Enter" && event.target.closest?.("select")) return mode.show();
  if (event.target.closest?.("select, summary, header button") || event.isComposing || event.altKey || event.metaKey) return;
  const onButton = event.target.closest?.("button");
  const isUndo = event.ctrlKey && event.key.toLowerCase() === "z" && !mode.isChanged();
  const action = isUndo ? undo : mode.KEYS[`${event.ctrlKey ? "Ctrl+" : ""}${event.shiftKey ? "Shift+" : ""}${event.key}`];
  if (!action || (onButton && event.key === "Enter" && !event.ctrlKey)) return;
  event.preventDefault();
  action();
});

async function poll() {
  const predicting = data.predicting;
  try {
    const { changed, isSorted } = await load();
    mode.refresh(changed);
    progress.show();
    if (data.problem) say(data.problem, true);
    if (mode === one && (isSorted || (predicting && dependsOnPredictions()))) one.sortRest();
    if (data.predicting) isChecked = false;
    else if (!isChecked) {
      isChecked = true;
      await addFindings();
    }
  } catch (error) {
    say(error.message, true);
  }
  setTimeout(poll, POLL);
}

async function changeList({ target }) {
  say("");
  if (isFinding()) await addFindings();
  mode.open();
  if (isByKey) target.focus();
}

addEventListener("pointerdown", () => (isByKey = false), true);
addOptions();
get("mode-one").addEventListener("click", () => setMode(one));
get("mode-grid").addEventListener("click", () => setMode(grid));
for (const id of ["filter", "order"]) get(id).addEventListener("change", changeList);
for (const id of ["undo", "undo-grid"]) get(id).addEventListener("click", undo);
load(0).then(() => {
  openContradicted();
  progress.show();
  setMode(one);
  poll();
}, (error) => say(error.message, true));
