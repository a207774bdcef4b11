// The panel of the progress.

import { percent } from "./confidence.js";
import { data } from "./data.js";

export function show() {
  const found = data.progress;
  const rows = [
    ["Labelled", `${found.labelled} of ${found.images}${found.unreadable ? `, ${found.unreadable} unreadable` : ""}`],
    ["Labels a minute", found.a_minute ?? "-"],
    ["Accuracy of the reader", accuracy(found)],
    ["Predictions that you accepted", found.predicted ? percent(found.accepted / found.predicted) : "-"],
    ["Lengths", counts(found.lengths)],
    ["Characters", counts(found.characters)],
    ["Characters never seen", found.labelled ? [...found.unseen].join(" ") || "none" : "-"],
  ];
  if (data.predicting) rows.push(["Predictions to come", data.predicting]);
  if (data.training) rows.push(...training(data.training));
  const elements = rows.flatMap(([title, value]) => [["dt", title], ["dd", value]]);
  document.getElementById("progress").replaceChildren(
    ...elements.map(([name, text]) => Object.assign(document.createElement(name), { textContent: text })),
  );
  drawCurve(data.training?.rounds ?? []);
  Object.assign(document.getElementById("bar"), { max: found.images, value: found.labelled + found.unreadable });
}

function accuracy({ accuracy: [share, low, high], tested }) {
  const part = `on ${tested} of the ${data.progress.test_part} images of the test part`;
  return tested ? `${percent(share)} (${percent(low)} to ${percent(high)}), ${part}` : "-";
}

const counts = (found) => Object.entries(found).map(([what, count]) => `${what}\u00a0×\u00a0${count}`).join(", ") || "-";

function training({ running, failed, rounds, target, forecast, labels }) {
  const rows = rounds.map((round) => [`Reader of ${round.labels} labels`, accuracy({
    accuracy: [round.accuracy, round.low, round.high], tested: round.tested })]);
  if (running) {
    const steps = running.steps ? `, step ${running.step} of ${running.steps}` : "";
    rows.push(["Training", `on ${running.labels} labels${steps}`]);
  }
  if (failed) rows.push(["Training failed", failed]);
  if (forecast !== null) {
    const more = forecast - labels;
    rows.push([`Labels to ${percent(target)}`, more > 0 ? `about ${more} more` : "no more"]);
  }
  return rows;
}

// The accuracy of each reader against its labels, with its interval.
function drawCurve(rounds) {
  const svg = document.getElementById("curve");
  const known = rounds.filter((round) => round.tested);
  svg.toggleAttribute("hidden", !known.length);
  const [left, right, top, bottom] = [42, 228, 20, 110];
  const most = Math.max(...known.map((round) => round.labels));
  const x = (labels) => left + ((right - left) * labels) / most;
  const y = (share) => bottom - (bottom - top) * share;
  const draw = (name, attributes, text = "") => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return element;
  };
  const ticks = known.map((round) => round.labels).reverse()
    .reduce((kept, labels) => (kept.length && x(kept.at(-1)) - x(labels) < 32 ? kept : [...kept, labels]), []);
  svg.replaceChildren(
    draw("path", { d: `M${left} ${top}V${bottom}H${right}`, class: "axis" }),
    draw("text", { x: 0, y: 10 }, "Accuracy"),
    draw("text", { x: (left + right) / 2, y: 139, "text-anchor": "middle" }, "Labels"),
    ...[0, 0.5, 1].flatMap((share) => [
      draw("path", { d: `M${left - 4} ${y(share)}H${left}`, class: "axis" }),
      draw("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share)),
    ]),
    ...ticks.flatMap((labels) => [
      draw("path", { d: `M${x(labels)} ${bottom}v4`, class: "axis" }),
      draw("text", { x: x(labels), y: bottom + 15, "text-anchor": "middle" }, labels),
    ]),
    draw("polyline", { points: known.map((round) => `${x(round.labels)},${y(round.accuracy)}`).join(" ") }),
    ...known.map((round) => draw("path", { d: `M${x(round.labels)} ${y(round.low)}V${y(round.high)}` })),
    ...known.map((round) => draw("circle", { cx: x(round.labels), cy: y(round.accuracy), r: 3 })),
  );
}
