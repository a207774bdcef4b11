"""Labelling by a person: keystrokes and labels to 95 % and 98 % exact match, against typing every label.

    pip install ".[bench]"
    python benchmarks/labelling.py --data DATA --output runs/active

A simulated person labels the train images of a site in the order of a strategy. A right prediction takes one key,
Enter; a wrong one is replaced by typing the text and Enter. After 10, 20, 50, ... labels the reader is trained again,
as by benchmarks/active.py, whose rounds are used where they are in the same output; its test rows say when an
accuracy is reached. Without the page, the same labels take the typing of every text and Enter. Further `key=value`
words go to `adapt`. Writes labelling.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from active import COUNTS, START, rounds
from commands import circumstances, seqclr, sites_of
from new_sites import known

from seqclr.labelling import strategies

SITES = ["cap_kr_gov24", "cap_simple_v2", "cap_thsr", "cap_tjsp"]
TARGETS = (0.95, 0.98)


def at_start(site: Path, output: Path) -> dict:
    """The figures of the reader of the package, which no label was given for."""
    file = output / f"start_{site.name}.json"
    if not file.is_file():
        seqclr("evaluate", "--model", START, "--data", site, "--split", "test", "--json", file, *known(site))
    return {"labels": 0, "typed": 0, "corrected": 0, **json.loads(file.read_text())}


def reached(site: Path, output: Path, strategy: str, seed: int, counts: list[int], keys: list[str]) -> dict:
    """The figures of the first round of each target, and of the last one under None."""
    figures = at_start(site, output)
    first: dict = {target: figures for target in TARGETS if figures["exact_match"] >= target}
    for figures in rounds(site, output, strategy, seed, counts, keys):
        for target in TARGETS:
            if figures["exact_match"] >= target:
                first.setdefault(target, figures)
        if len(first) == len(TARGETS):
            break
    return {**first, None: figures}


def table(results: dict[str, dict]) -> str:
    """Markdown: a row per site."""
    names = [f"{what} to {target:.0%}" for target in TARGETS for what in ("labels", "keys", "keys, all typed")]
    lines = [f"| site | {' | '.join(names)} | last exact match |", "|" + "---|" * (len(names) + 2)]
    for site, first in results.items():
        cells = []
        for target in TARGETS:
            found = first.get(target)
            cells += [str(found[name]) if found else "-" for name in ("labels", "corrected", "typed")]
        last = first[None]
        cells.append(f"{last['exact_match']:.3f} with {last['labels']}")
        lines.append(f"| {site.removeprefix('cap_')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="also that of benchmarks/active.py")
    parser.add_argument("--sites", nargs="+", default=SITES)
    parser.add_argument("--strategy", choices=strategies.STRATEGIES, default=strategies.DEFAULT)
    parser.add_argument("--labels", nargs="+", type=int, default=[*COUNTS, 500])
    parser.add_argument("--seed", type=int, default=0)
    args, keys = parser.parse_known_args()
    args.output.mkdir(parents=True, exist_ok=True)
    results = {}
    for site in sites_of(args.data, args.sites):
        results[site.name] = reached(site, args.output, args.strategy, args.seed, sorted(args.labels), keys)
        text = f"{table(results)}\n\nStrategy {args.strategy}, seed {args.seed}. {circumstances()}"
        (args.output / "labelling.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
