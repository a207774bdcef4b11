"""Plots of predictions: contact sheets, confusions, reliability and refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from seqclr.data import images
from seqclr.errors import escaped


def draw_sheet(rows: Sequence[tuple], target: Path, columns: int = 4) -> None:
    """A sheet of images with their predictions, of rows (sample, true text, prediction, confidence)."""
    lines = max(1, -(-len(rows) // columns))
    figure = Figure(figsize=(3 * columns, 1.3 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, (sample, text, prediction, confidence) in zip(grid, rows):
        axes.imshow(images.decode(sample.read_bytes(), sample.name))
        right = text == prediction
        title = f"{plain(prediction) or '(nothing)'}  {confidence:.2f}" + ("" if right else f"\nlabel {plain(text)}")
        axes.set_title(title, fontsize=8, color="black" if right else "firebrick")
    if not rows:
        grid[0].set_title("no errors")
    figure.savefig(target, dpi=100)


def draw_confusions(counts: Counter, target: Path, most: int = 40) -> None:
    """The confusion matrix of the characters that are confused most; shades are fractions of a true character."""
    wrong: Counter = Counter()
    for (a, b), times in counts.items():
        if a != b:
            wrong.update({a: times, b: times})
    signs = sorted(sign for sign, _ in wrong.most_common(most)) or sorted({a for a, _ in counts})[:most]
    totals = {a: sum(times for (true, _), times in counts.items() if true == a) for a in signs}
    shares = [[counts[a, b] / max(1, totals[a]) for b in signs] for a in signs]
    side = max(4.0, 0.28 * len(signs) + 1.5)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [plain(sign) or "-" for sign in signs]
    axes.set_xticks(range(len(signs)), names)
    axes.set_yticks(range(len(signs)), names)
    for i, a in enumerate(signs):
        for j, b in enumerate(signs):
            if a != b and counts[a, b]:
                axes.text(j, i, counts[a, b], ha="center", va="center", fontsize=7)
    axes.set(xlabel="predicted (-: nothing)", ylabel="true", title="characters confused most")
    figure.savefig(target, dpi=100)


def draw_reliability(bins: Sequence[tuple[int, float, float]], target: Path) -> None:
    """The reliability diagram of Guo et al. 2017: accuracy against confidence in bins, and the number of predictions.

    bins: of equal width, as of `metrics.bins`: number of predictions, mean confidence and accuracy of each.
    """
    figure = Figure(figsize=(5, 6), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    starts, width = [i / len(bins) for i in range(len(bins))], 1 / len(bins)
    counts, means, hits = zip(*bins)
    above.bar(starts, hits, width, align="edge", edgecolor="white", label="accuracy")
    above.plot([0, 1], [0, 1], "--", color="gray", label="perfectly calibrated")
    above.plot(
        *zip(*((mean, hit) for n, mean, hit in bins if n)),
        "o",
        color="firebrick",
        label="at the mean confidence of a bin",
    )
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy", title="reliability of the confidence")
    above.legend(loc="upper left")
    below.bar(starts, counts, width, align="edge", edgecolor="white")
    below.set(xlabel="confidence", ylabel="images")
    figure.savefig(target, dpi=100)


def draw_refusals(
    thresholds: Sequence[float], accuracy: Sequence[float], refused: Sequence[float], chosen: float, target: Path
) -> None:
    """Exact match with one retry, and the share refused, against the threshold of confidence. chosen: the reader's."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(thresholds, accuracy, label="exact match with one retry")
    axes.plot(thresholds, refused, label="refused")
    axes.axvline(chosen, color="gray", linestyle="--", label=f"the reader's threshold, {chosen:.2f}")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="threshold of confidence", title="asking for another image")
    axes.legend(loc="best")
    figure.savefig(target, dpi=100)


def plain(text: str) -> str:
    """A text with the characters escaped that matplotlib cannot show or would interpret."""
    return escaped(text).replace("$", r"\$")  # or matplotlib renders it as mathematics
