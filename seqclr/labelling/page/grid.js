// Hundreds of thumbnails at once.

import { percent, sourceOf } from "./confidence.js";
import { data, isDraft, keepDraft, textOf } from "./data.js";
import { list, wrong } from "./lists.js";
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

// Goes to the thumbnails with an image.
export function goTo(image) {
  if (!images.includes(image)) images = list();
  start = SIZE * Math.max(0, Math.floor(images.indexOf(image) / SIZE));
  show();
}

// Shows new facts about images whose text was not changed.
export function refresh(changed) {
  const known = new Set(changed);
  for (const element of tiles.children) {
    const index = Number(element.dataset.image);
    if (known.has(index) && !element.classList.contains("changed")) fill(element, data.images[index]);
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
    mark(element, !wrong.has(index));
    input.focus();
  });
  input.addEventListener("focus", () => input.select());
  input.addEventListener("input", () => {
    keepDraft(index, input.value);
    element.classList.toggle("changed", isDraft(index));
    mark(element, false);
  });
  fill(element, data.images[index]);
  return element;
}

function fill(element, image) {
  const [button, input, note] = element.children;
  input.value = textOf(image);
  element.classList.toggle("changed", isDraft(image.image));
  input.setAttribute("aria-label", `Text of ${image.name}`);
  button.setAttribute("aria-label", `Mark ${image.name} as wrong`);
  button.firstChild.alt = `Image ${image.name}`;
  note.dataset.plain = image.contradicted ? `predicted: ${image.predicted}` : image.source === "unreadable" ? "unreadable" : image.text !== null ? image.source
    : image.confidence === null ? "" : percent(image.confidence);
  mark(element, wrong.has(image.image));
}

function mark(element, isWrong) {
  const [button, , note] = element.children;
  wrong[isWrong ? "add" : "delete"](Number(element.dataset.image));
  element.classList.toggle("wrong", isWrong);
  button.setAttribute("aria-pressed", isWrong);
  note.textContent = isWrong ? "wrong" : element.classList.contains("changed") ? "changed" : note.dataset.plain;
}

function acceptAll() {
  const labels = [];
  for (const element of tiles.children) {
    const image = data.images[element.dataset.image];
    const text = element.children[1].value.trim();
    const unread = image.source === "unreadable" && !element.classList.contains("changed");
    if (!wrong.has(image.image) && !unread && text && (text !== image.text || image.contradicted)) {
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
  start = Math.max(0, start + by);
  show();
}

// The input before or after the present one.
function step(by) {
  const inputs = [...tiles.querySelectorAll("input")];
  inputs[inputs.indexOf(document.activeElement) + by]?.focus();
}

function toggle() {
  const element = document.activeElement.closest(".tile");
  if (element) mark(element, !wrong.has(Number(element.dataset.image)));
}

export const KEYS = { Enter: () => step(1), ArrowDown: () => step(1), ArrowUp: () => step(-1), Escape: toggle, "Ctrl+Enter": acceptAll };
export const isChanged = () => document.activeElement.closest(".tile")?.classList.contains("changed") ?? false;

const ACTIONS = { "accept-all": acceptAll, before: () => turn(-SIZE), after: () => turn(SIZE) };
for (const [id, action] of Object.entries(ACTIONS)) get(id).addEventListener("click", action);
