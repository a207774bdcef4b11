// Which images are shown, and in which order.

import { data, findings, known } from "./data.js";

const found = new Map(); // kind of finding -> images

const FILTERS = {
  unlabelled: ["To label", (image) => ["", "removed", "wrong"].includes(image.source)],
  all: ["All images", () => true],
  labelled: ["Labelled", (image) => image.text !== null],
  unreadable: ["Unreadable", (image) => image.source === "unreadable"],
  differs: ["Label differs from the prediction",
    (image) => image.text !== null && image.predicted !== null && image.text !== image.predicted],
  wrong: ["Marked as wrong in the grid", (image) => image.source === "wrong"],
};
const CONTRADICTED = "contradicted"; // a filter and an order, where labels are that a reader contradicts

const confidence = (image) => image.confidence ?? 2;
const disagrees = (image) => image.second !== null && image.second !== image.predicted;
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

const ORDERS = {
  next: ["Best next", null],
  text: ["Text", (a, b) => compare(known(a), known(b)) || confidence(a) - confidence(b)],
  confidence: ["Confidence, lowest first", (a, b) => confidence(a) - confidence(b)],
  disagreement: ["Disagreement of two views", (a, b) => disagrees(b) - disagrees(a) || confidence(a) - confidence(b)],
  name: ["File name", (a, b) => compare(a.name, b.name)],
};

export function addOptions() {
  for (const [value, [title]] of Object.entries(FILTERS)) filter.add(new Option(title, value));
  for (const [value, [title]] of Object.entries(ORDERS)) order.add(new Option(title, value));
}

// Opens on the labels that a reader contradicts, if there are some.
export function openContradicted() {
  if (!data.images.some((image) => image.contradicted)) return;
  FILTERS[CONTRADICTED] = ["Check: labels that a reader contradicts", (image) => image.contradicted];
  ORDERS[CONTRADICTED] = ["Surest contradiction first",
    (a, b) => (a.contradicted || Infinity) - (b.contradicted || Infinity) || a.image - b.image];
  filter.add(new Option(FILTERS[CONTRADICTED][0], CONTRADICTED));
  order.add(new Option(ORDERS[CONTRADICTED][0], CONTRADICTED));
  filter.value = order.value = CONTRADICTED;
}

// Asks the server for the findings of `seqclr check`, and offers each kind as a filter.
export async function addFindings() {
  found.clear();
  for (const { kind, title, images } of await findings()) {
    found.set(kind, new Set(images));
    const option = [...filter.options].find(({ value }) => value === kind) ?? new Option("", kind);
    option.textContent = `Check: ${title} (${images.length})`;
    if (!option.isConnected) filter.add(option);
  }
}

export const isFinding = () => !(filter.value in FILTERS);
export const dependsOnPredictions = () => !["name", CONTRADICTED].includes(order.value);

// The images that the filter shows, in order, without those of a set.
export function list(without = new Set()) {
  const belongs = isFinding() ? (image) => found.get(filter.value)?.has(image.image) : FILTERS[filter.value][1];
  const chosen = data.order.map((index) => data.images[index]).filter((image) => belongs(image) && !without.has(image.image));
  const by = ORDERS[order.value][1];
  if (by) chosen.sort(by);
  return chosen.map((image) => image.image);
}

const filter = document.querySelector("#filter");
const order = document.querySelector("#order");
