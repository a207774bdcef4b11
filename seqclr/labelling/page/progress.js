// The panel of the progress.

import { percent } from "./confidence.js";
import { data } from "./data.js";

export function show() {
  const found = data.progress;
  const rows = [
    ["Labelled", `${found.labelled} of ${found.images}${found.unreadable ? `, ${found.unreadable} unreadable` : ""}`],
    ["Labels a minute", found.a_minute ?? "-"],
    ["Predictions that were right", found.compared ? right(found) : "-"],
    ["Lengths", counts(found.lengths)],
    ["Characters", counts(found.characters)],
    ["Characters never seen", found.labelled ? [...found.unseen].join(" ") || "none" : "-"],
  ];
  if (data.predicting) rows.push(["Predictions to come", data.predicting]);
  const elements = rows.flatMap(([title, value]) => [["dt", title], ["dd", value]]);
  document.getElementById("progress").replaceChildren(
    ...elements.map(([name, text]) => Object.assign(document.createElement(name), { textContent: text })),
  );
  Object.assign(document.getElementById("bar"), { max: found.images, value: found.labelled + found.unreadable });
}

function right({ right, compared, accuracy }) {
  const interval = accuracy ? ` (${percent(accuracy[1])} to ${percent(accuracy[2])})` : "";
  return `${percent(right / compared)}${interval}, ${right} of ${compared}`;
}

const counts = (found) => Object.entries(found).map(([what, count]) => `${what} ×${count}`).join("  ") || "-";
