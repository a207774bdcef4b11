// The images as the server knows them, and the labels on their way to it.

const token = location.pathname.split("/")[1];
export const data = { images: [], order: [], version: 0, predicting: 0, progress: null, training: null, problem: "" };
const drafts = new Map(); // texts that were typed and not saved, by image
let sending = Promise.resolve();
let waiting = 0; // labels that the server has not confirmed

addEventListener("beforeunload", (event) => {
  if (waiting || drafts.size) event.preventDefault();
});

// Gets what has changed since a version: which images, and whether their order has.
export async function load(since = data.version) {
  const found = await get(`state?since=${since}`);
  for (const image of found.images) {
    const shown = data.images[image.image];
    const { predicted, confidence, characters, second } = image;
    if (shown?.waiting) Object.assign(shown, { predicted, confidence, characters, second });
    else data.images[image.image] = { ...image, waiting: 0 };
  }
  const isSorted = found.order.length > 0;
  if (isSorted) data.order = found.order;
  const { version, predicting, progress, training, problem } = found;
  Object.assign(data, { version, predicting, progress, training, problem });
  return { changed: found.images.map((image) => image.image), isSorted };
}

export const findings = () => get("findings");

async function get(path) {
  return answer(await fetch(path).catch(lost));
}

// The text of an image's label, or else its prediction.
export const known = (image) => image.text ?? image.predicted ?? "";

// The text of an image as it was typed, or else as it is known.
export const textOf = (image) => drafts.get(image.image) ?? known(image);

export const isDraft = (index) => drafts.has(index);

// Keeps a text that was typed until it is saved.
export function keepDraft(index, text) {
  if (text.trim() === known(data.images[index])) drafts.delete(index);
  else drafts.set(index, text);
}

// Sends labels {image, text, source}; they are sent in order, and shown before the server has answered.
// Resolves when they are on the disk; rejects with an error, and then the images are as they were.
export function send(labels) {
  const changes = labels.map(({ image, text, source }) => ({ image, text, source, revision: data.images[image].revision }));
  const before = changes.map(({ image }) => ({ ...data.images[image] }));
  for (const { image, text, source } of changes) {
    const shown = data.images[image];
    Object.assign(shown, { text, source, contradicted: 0, revision: shown.revision + 1, waiting: shown.waiting + 1 });
    drafts.delete(image);
  }
  waiting += changes.length;
  const done = sending.then(() => post(changes));
  sending = done.catch(() => {});
  return done.then(
    () => settle(changes),
    (error) => {
      settle(changes);
      for (const old of before) {
        const { text } = data.images[old.image];
        Object.assign(data.images[old.image], { text: old.text, source: old.source, revision: old.revision });
        const isStale = error.images?.includes(old.image); // the text of the other window is shown then
        if (text !== null && !isDraft(old.image) && !isStale) keepDraft(old.image, text);
      }
      data.version = 0; // all is loaded again: changes may have come while labels were on their way
      throw error;
    },
  );
}

function settle(changes) {
  waiting -= changes.length;
  for (const { image } of changes) data.images[image].waiting -= 1;
}

async function post(changes) {
  const headers = { "Content-Type": "application/json", "X-Seqclr-Token": token };
  return answer(await fetch("labels", { method: "POST", headers, body: JSON.stringify({ changes }) }).catch(lost));
}

function lost() {
  throw new Error("the program cannot be reached: is `seqclr label` still running?");
}

async function answer(response) {
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  let found = { error: text.trim() };
  try {
    found = JSON.parse(text);
  } catch {
    // plain text
  }
  throw Object.assign(new Error(found.error || `status ${response.status}`), { images: found.images });
}
