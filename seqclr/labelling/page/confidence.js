// Characters coloured by their confidence, and confidences in words.

const LEVELS = [[0.95, "sure"], [0.7, "unsure"], [0, "doubtful"]];

// With a decimal between 99 and 100 %, where it matters.
export const percent = (share) => `${(100 * share).toFixed(share > 0.99 && share < 0.9995 ? 1 : 0)}\u00a0%`;

export function level(confidence) {
  return LEVELS.find(([least]) => confidence >= least)[1];
}

// Elements that show a predicted text.
export function coloured(image) {
  const characters = [...image.predicted];
  return characters.map((character, index) => {
    const span = document.createElement("span");
    const own = image.characters.length === characters.length ? image.characters[index] : image.confidence;
    span.textContent = character === " " ? "\u00a0" : character;
    span.className = level(own);
    span.title = percent(own);
    return span;
  });
}

// How a label came about: against what was predicted. One that is confirmed keeps its source; `login` is for labels that
// nobody has looked at.
export function sourceOf(image, text) {
  if (text === image.text) return image.source === "login" ? "accepted" : image.source;
  if (image.predicted === null || image.predicted === "") return "typed";
  return text === image.predicted ? "accepted" : "corrected";
}
