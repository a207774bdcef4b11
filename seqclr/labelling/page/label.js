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

export function say(text, isError = false) {
  get("status").textContent = text;
  get("status").classList.toggle("error", isError);
}

// Saves labels {image, text, source}; they can be undone.
export function save(labels) {
  const before = labels.map(({ image }) => {
    const { text, source } = data.images[image];
    return { image, text, source: source || "removed" };
  });
  return deliver(labels, labels.length).then((saved) => saved && undos.push(before));
}

// more: by how many labels there are more then.
async function deliver(labels, more) {
  try {
    await send(labels);
    counted += more;
    say(`Saved. ${counted} since the page was opened.`);
    return true;
  } catch (error) {
    say(`Not saved: ${error.message}`, true);
    mode.goTo(labels[0].image);
    return false;
  }
}

async function undo() {
  const labels = undos.pop();
  if (!labels) return say("There is nothing to undo.");
  const done = deliver(labels, -labels.length);
  if (mode === one) one.goTo(labels[0].image);
  if (await done) say(labels.length === 1 ? "Undone." : `Undone: ${labels.length} labels.`);
  if (mode === grid) grid.show();
}

function setMode(chosen) {
  mode = chosen;
  for (const [name, module] of Object.entries({ one, grid })) {
    get(name).hidden = module !== mode;
    get(`mode-${name}`).setAttribute("aria-pressed", module === mode);
  }
  mode.open();
}

addEventListener("keydown", (event) => {
  if (event.target.closest?.("select, summary, header button") || event.isComposing || event.altKey || event.metaKey) return;
  const onButton = event.target.closest?.("button");
  const isUndo = event.ctrlKey && event.key.toLowerCase() === "z" && !mode.isChanged();
  const action = isUndo ? undo : mode.KEYS[`${event.ctrlKey ? "Ctrl+" : ""}${event.key}`];
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
    if (predicting && !data.predicting) await addFindings();
  } catch (error) {
    say(error.message, true);
  }
  setTimeout(poll, POLL);
}

async function changeList() {
  if (isFinding()) await addFindings();
  mode.open();
}

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
