// One image at a time.

import { coloured, percent, sourceOf } from "./confidence.js";
import { data, keepDraft, textOf } from "./data.js";
import { list } from "./lists.js";
import { save, say } from "./label.js";

const AHEAD = 6; // images that are loaded before they are shown
const get = (id) => document.getElementById(id);
const input = get("text");
let images = []; // in the order in which they are shown
let at = 0;
let filled = ""; // the text that was filled in
let revision = 0; // of the image when it was shown

export function open() {
  images = list();
  at = 0;
  show();
}

// Sorts the images that were not shown yet again.
export function sortRest() {
  const visited = images.slice(0, at + 1);
  images = [...visited, ...list(new Set(visited))];
  loadAhead();
}

// Shows new facts about the present image, unless its text was changed. A text that is shown is not replaced by a new
// prediction: the next key may accept it.
export function refresh(changed) {
  if (!changed.includes(images[at]) || input.value !== filled) return;
  if (!filled || data.images[images[at]].revision !== revision) show(document.activeElement === input);
}

export function goTo(image) {
  const index = images.indexOf(image);
  if (index < 0) images.splice(at, 0, image);
  else at = index;
  show();
}

export function show(hasFocus = true) {
  const image = data.images[images[at]];
  for (const id of ["text", "accept", "skip", "unreadable"]) get(id).disabled = !image;
  get("use").hidden = !image?.contradicted;
  get("back").disabled = at === 0;
  get("image").hidden = !image;
  if (!image) {
    get("position").textContent = "No more images here: choose what to show above.";
    get("prediction").replaceChildren();
    input.value = filled = "";
    return;
  }
  revision = image.revision;
  let state = image.source === "unreadable" ? ", unreadable" : image.source === "wrong" ? ", marked as wrong" : image.text !== null ? `, labelled (${image.source})` : "";
  if (image.contradicted) state += ", contradicted: a reader that has not seen the label predicts";
  get("position").textContent = `${at + 1} of ${images.length}: ${image.name}${state}`;
  get("image").src = `images/${image.image}`;
  get("image").alt = `Image ${image.name}`;
  const prediction = image.predicted === null ? [] : coloured(image);
  const small = document.createElement("small");
  small.textContent = image.predicted === null ? (data.predicting ? "not predicted yet" : "no prediction")
    : image.predicted === "" ? "nothing predicted" : percent(image.confidence);
  get("prediction").replaceChildren(...prediction, small);
  input.value = filled = textOf(image);
  if (hasFocus) input.focus();
  if (hasFocus) input.select();
  loadAhead();
}

function loadAhead() {
  for (const image of images.slice(at + 1, at + 1 + AHEAD)) new Image().src = `images/${image}`;
}

function next() {
  at += 1;
  if (at >= images.length) {
    images = list();
    at = 0;
  }
  show();
}

function accept() {
  const image = data.images[images[at]];
  const text = input.value.trim();
  if (!image) return;
  if (!text) return say("Type the text, or mark the image as unreadable.", true);
  if (text !== image.text || image.contradicted) save([{ image: image.image, text, source: sourceOf(image, text) }]);
  next();
}

function usePrediction() {
  const image = data.images[images[at]];
  if (!image?.contradicted) return;
  save([{ image: image.image, text: image.predicted, source: "accepted" }]);
  next();
}

function unreadable() {
  const image = data.images[images[at]];
  if (!image) return;
  save([{ image: image.image, text: null, source: "unreadable" }]);
  next();
}

function back() {
  at = Math.max(0, at - 1);
  show();
}

input.addEventListener("input", () => keepDraft(images[at], input.value));

export const KEYS = { Enter: accept, "Shift+Enter": usePrediction, ArrowDown: next, ArrowUp: back, Escape: unreadable };
export const isChanged = () => input.value !== filled;

for (const [id, action] of Object.entries({ accept, use: usePrediction, skip: next, back, unreadable })) get(id).addEventListener("click", action);
