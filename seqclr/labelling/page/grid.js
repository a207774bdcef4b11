// Hundreds of thumbnails at once.

import { percent, sourceOf } from "./confidence.js";
import { data, isDraft, keepDraft, textOf } from "./data.js";
import { list } from "./lists.js";
import { save, say } from "./label.js";

const SIZE = 200; // thumbnails
const get = (id) => document.getElementById(id);
const tiles = get("tiles");
let images = [];
let start = 0;

export function open() {
  images = list();
  start = 0;
  show();
}

export function show() {
  const part = images.slice(start, start + SIZE);
  tiles.replaceChildren(...part.map(tile));
  get("range").textContent = part.length ? `${start + 1} to ${start + part.length} of ${images.length}` : "No images here.";
  get("before").disabled = start === 0;
  get("after").disabled = start + SIZE >= images.length;
  get("accept-all").disabled = !part.length;
  tiles.querySelector("input")?.focus();
}

// Goes to the thumbnails with an image, and to it.
export function goTo(image) {
  if (!images.includes(image)) images = list();
  start = SIZE * Math.max(0, Math.floor(images.indexOf(image) / SIZE));
  show();
  tiles.querySelector(`[data-image="${image}"] input`)?.focus();
}

// Shows new facts about images whose text was not changed. A text that is shown is not replaced by a new prediction: the
// next key may accept it.
export function refresh(changed) {
  const known = new Set(changed);
  for (const element of tiles.children) {
    const image = imageOf(element);
    const isNew = !element.children[1].value || Number(element.dataset.revision) !== image.revision;
    if (known.has(image.image) && isNew && !element.classList.contains("changed")) fill(element, image);
  }
}

function tile(index) {
  const element = document.createElement("li");
  const button = document.createElement("button");
  const img = document.createElement("img");
  const input = document.createElement("input");
  element.className = "tile";
  element.dataset.image = index;
  button.type = "button";
  button.tabIndex = -1;
  img.loading = "lazy";
  img.src = `images/${index}?thumbnail`;
  button.append(img);
  for (const name of ["autocomplete", "autocapitalize", "autocorrect"]) input.setAttribute(name, "off");
  input.spellcheck = false;
  element.append(button, input, document.createElement("span"));
  button.addEventListener("click", () => {
    toggle(element);
    input.focus();
  });
  input.addEventListener("focus", () => input.select());
  input.addEventListener("input", () => {
    keepDraft(index, input.value);
    showMark(element);
  });
  fill(element, data.images[index]);
  return element;
}

function fill(element, image) {
  const [button, input, note] = element.children;
  input.value = textOf(image);
  element.dataset.revision = image.revision;
  note.id = `note-${image.image}`;
  input.setAttribute("aria-label", `Text of ${image.name}`);
  input.setAttribute("aria-describedby", note.id);
  button.setAttribute("aria-label", `Mark ${image.name} as wrong`);
  button.firstChild.alt = `Image ${image.name}`;
  note.dataset.plain = image.contradicted ? `predicted: ${image.predicted}` : image.source === "unreadable" ? "unreadable" : image.text !== null ? image.source
    : image.confidence === null ? "" : percent(image.confidence);
  showMark(element);
}

const imageOf = (element) => data.images[element.dataset.image];
const isWrong = (image) => image.source === "wrong" && !isDraft(image.image);

// Shows whether the text is wrong or changed.
function showMark(element) {
  const [button, , note] = element.children;
  const image = imageOf(element);
  const [wrong, changed] = [isWrong(image), isDraft(image.image)];
  element.classList.toggle("wrong", wrong);
  element.classList.toggle("changed", changed);
  button.setAttribute("aria-pressed", wrong);
  note.textContent = wrong ? "wrong" : changed ? "changed" : note.dataset.plain;
}

// Marks a text as wrong, which removes a label; a second time, the label is given again.
function toggle(element) {
  const shown = imageOf(element);
  const { image, text, source } = shown;
  if (isWrong(shown)) {
    save([{ image, ...(shown.former ?? { text: null, source: "removed" }) }], "No longer marked as wrong.");
  } else {
    if (source !== "wrong") shown.former = source ? { text, source } : null;
    save([{ image, text: null, source: "wrong" }], "Marked as wrong.");
  }
  fill(element, data.images[image]);
}

function acceptAll() {
  const labels = [];
  for (const element of tiles.children) {
    const image = imageOf(element);
    const input = element.children[1];
    const text = input.value.trim();
    if (isDraft(image.image) && !text) {
      input.focus();
      return say("Type the text, or press Esc to mark it as wrong.", true);
    }
    const isKept = image.contradicted || image.source === "unreadable" || image.source === "wrong"; // unless it is changed
    if (text && text !== image.text && (isDraft(image.image) || !isKept)) {
      labels.push({ image: image.image, text, source: sourceOf(image, text) });
    }
  }
  if (labels.length) save(labels);
  else say("There is no text to accept here.");
  if (start + SIZE < images.length) {
    start += SIZE;
    show();
  } else open();
  scrollTo(0, 0);
}

function turn(by) {
  if (start + by < 0 || start + by >= images.length) return;
  start += by;
  show();
  scrollTo(0, 0);
}

// The input before or after the present one.
function step(by) {
  const inputs = [...tiles.querySelectorAll("input")];
  inputs[inputs.indexOf(document.activeElement) + by]?.focus();
}

const focused = () => document.activeElement.closest(".tile");

function toggleFocused() {
  if (focused()) toggle(focused());
}

// Fills in the prediction in place of a label that a reader contradicts.
function usePrediction() {
  const image = focused() && imageOf(focused());
  if (!image?.contradicted) return;
  keepDraft(image.image, image.predicted);
  fill(focused(), image);
  step(1);
}

const before = () => turn(-SIZE);
const after = () => turn(SIZE);

export const KEYS = {
  Enter: () => step(1), ArrowDown: () => step(1), ArrowUp: () => step(-1), Escape: toggleFocused,
  "Shift+Enter": usePrediction, "Ctrl+Enter": acceptAll, "Ctrl+ArrowUp": before, "Ctrl+ArrowDown": after,
};
export const isChanged = () => focused()?.classList.contains("changed") ?? false;

const ACTIONS = { "accept-all": acceptAll, before, after };
for (const [id, action] of Object.entries(ACTIONS)) get(id).addEventListener("click", action);
