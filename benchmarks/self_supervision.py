"""Self-supervision: what each part adds to a reader of a site, at equal time.

    pip install ".[bench]"
    python benchmarks/self_supervision.py --data DATA --output runs/self_supervision --minutes 6 --seeds 3

DATA holds a folder per site, as of benchmarks/new_sites.py; the characters and lengths of its texts are known. Arms are
a start and a part:

    plain reader      the released reader, adapted to the site without what the next three arms add
    propagated reader the same with label propagation between the images
    seeded reader     the same with seeds and equal priors of the classes
    reader            the same with predictions that are averaged over views, the default
    reader PART       with a loss of `adapt` (contrast, consistency), or after pretraining on the site's images
    new               random weights, fine-tuned on the labels
    new PART          after pretraining on the site's images; where that predicts text, it is adapted
    new A then B      after pretraining with A, then from there with B
    ... transformer   with contrast of the frames after the Transformer (layer=transformer) instead of the CNN's
    ... encoder_rate  fine-tuned with three tenths of the learning rate for the encoder
    ... finetuned     fine-tuned on the labels, instead of adapted
    ... mixed cnn     after pretraining with generated images, but the CNN is that of pretraining with contrast beside
    ... mixed transformer
                      the same, but all other weights are those of pretraining with contrast: the two tell which part of
                      the network contrast changes for the worse

Every arm trains for `--minutes`: pretraining takes half of it, in equal parts where there are two; mixed arms use the
pretrainings of other arms. The time is that of the CPU, of all processes of a training, so that other work on the
machine does not count; a step is timed before the first training, and its seconds are kept in steps.json. Finished
cells are kept: the same command continues. An arm is compared with the arm without the part, and called better or worse
only where the difference of the mean errors is above the spread, the standard deviation over the seeds of both. Writes
table.md and results.json.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from commands import circumstances, measured, seqclr, write
from new_sites import METRICS, TUNED, measure, training

from seqclr.engine import checkpoints
from seqclr.engine.run import Run

TIMED = (20, 80)  # steps of the two trainings whose difference is the time of a step
SHARE = 0.5  # of the time, for pretraining
NEW = {"encoder": "fast", "width": 128}  # the architecture of the released reader
CNN = ("stem", "stage", "columns")  # layers of the encoder before its Transformer


class Arm(NamedTuple):
    """against: the arm without the part. keys: of `adapt` or, where it is not adapted, of `finetune`. pretrain: keys of
    the pretrainings before it, each from the weights of the one before. mixed: the arm whose pretraining gives the CNN,
    and the one whose pretraining gives the other weights."""

    against: str | None
    adapted: bool
    keys: dict = {}
    pretrain: tuple[dict, ...] = ()
    mixed: tuple[str, str] | None = None


def stage(start: dict, method: str, **keys) -> tuple[dict, ...]:
    return ({**start, "method": method, **keys},)


ONE_VIEW = {"test_time_augmentations": 0}  # of `adapt`: predictions of the image alone
READER, BEFORE = {"init": "captcha"}, {}  # keys of a pretraining from the released reader, from the one before
BESIDE = ("generated_simclr", "pseudo_characters", "character_clusters")  # generated images and a loss of real ones
ARMS = {
    "plain reader": Arm(None, True, {**ONE_VIEW, "neighbours": 0, "seed_share": 0}),
    "propagated reader": Arm("plain reader", True, {**ONE_VIEW, "seed_share": 0}),
    "seeded reader": Arm("propagated reader", True, ONE_VIEW),
    "reader": Arm("seeded reader", True),
    "reader contrast": Arm("reader", True, {"contrast": 0.3}),
    "reader consistency": Arm("reader", True, {"consistency": 5}),
    **{f"reader {method}": Arm("reader", True, {}, stage(READER, method)) for method in ("generated", *BESIDE)},
    "reader generated_simclr transformer": Arm(
        "reader", True, {}, stage(READER, "generated_simclr", layer="transformer")
    ),
    "reader mixed cnn": Arm("reader generated", True, mixed=("reader generated_simclr", "reader generated")),
    "reader mixed transformer": Arm("reader generated", True, mixed=("reader generated", "reader generated_simclr")),
    "new": Arm(None, False, NEW),
    **{
        f"new {method}": Arm("new", False, {}, stage(NEW, method))
        for method in ("simclr", "simsiam", "nnclr", "masked_simclr", "ccd", "rclstr", "ssm")
    },
    "new simclr transformer": Arm("new", False, {}, stage(NEW, "simclr", layer="transformer")),
    "new simclr encoder_rate": Arm("new simclr", False, {"encoder_rate": 0.3}, stage(NEW, "simclr")),
    "new generated": Arm("new", True, {}, stage(NEW, "generated")),
    **{f"new {method}": Arm("new generated", True, {}, stage(NEW, method)) for method in BESIDE},
    "new generated_simclr transformer": Arm(
        "new generated", True, {}, stage(NEW, "generated_simclr", layer="transformer")
    ),
    "new simclr then generated": Arm("new generated", True, {}, stage(NEW, "simclr") + stage(BEFORE, "generated")),
    **{
        f"new generated then {method}": Arm("new generated", True, {}, stage(NEW, "generated") + stage(BEFORE, method))
        for method in BESIDE
    },
    "new mixed cnn": Arm("new generated", True, mixed=("new generated_simclr", "new generated")),
    "new mixed transformer": Arm("new generated", True, mixed=("new generated", "new generated_simclr")),
    "new generated finetuned": Arm("new", False, {}, stage(NEW, "generated")),
    "new generated then simclr": Arm(
        "new generated finetuned", False, {}, stage(NEW, "generated") + stage(BEFORE, "simclr")
    ),
}


class Benchmark:
    def __init__(self, output: Path, minutes: float):
        self.output, self.minutes = output, minutes

    def cell(self, name: str, labels: int, seed: int, site: Path) -> dict:
        """The metrics of an arm on the test rows of a site."""
        arm, folder = ARMS[name], self.folder(name, f"{labels}_{seed}", site)
        done = folder / "result.json"
        if not done.is_file():
            kind, keys, share = "adapted" if arm.adapted else "scratch", words(arm.keys), 1.0
            if arm.pretrain or arm.mixed:
                keys.append(f"{'model' if arm.adapted else 'pretrained'}={self.pretrained(name, seed, site)}")
                share -= SHARE
            steps = self.steps(name if arm.keys else kind, training(kind, labels, seed, site, keys), share)
            folder.mkdir(parents=True, exist_ok=True)
            figures = measure(kind, labels, seed, site, folder, [*keys, f"steps={steps}"])
            done.write_text(json.dumps({**figures, "steps": steps}, indent=1))
        return json.loads(done.read_text())

    def pretrained(self, name: str, seed: int, site: Path) -> Path:
        """The arm's pretraining on the images of a site, for all numbers of labels. Arms with the same one share it."""
        arm = ARMS[name]
        owner = name if arm.mixed else next(other for other in ARMS if ARMS[other].pretrain == arm.pretrain)
        folder = self.folder(owner, f"pretrain_{seed}", site)
        if arm.mixed:
            if not (folder / "done").is_file():
                mix(*(self.pretrained(other, seed, site) for other in arm.mixed), folder / "run")
                (folder / "done").touch()
            return folder / "run"
        start: list[str] = []
        for number, keys in enumerate(arm.pretrain, 1):
            end = f"_{number}" if number > 1 else ""
            run, done = folder / f"run{end}", folder / f"done{end}"
            if not done.is_file():
                arguments = ["pretrain", "--data", site, f"seed={seed}", *words(keys), *start]
                steps = self.steps(f"{owner} pretrain{end}", arguments, SHARE / len(arm.pretrain))
                resume = ["--resume"] if (run / "config.yaml").is_file() else []
                seqclr(*arguments, "--output", run, f"steps={steps}", *resume)
                done.touch()
            start = [f"init={run}"]
        return run

    def folder(self, name: str, part: str, site: Path) -> Path:
        return self.output / f"{self.minutes:g}_minutes" / name.replace(" ", "_") / part / site.name

    def steps(self, name: str, arguments: list, share: float) -> int:
        """How many steps of a training take a share of the time."""
        file = self.output / "steps.json"
        seconds = json.loads(file.read_text()) if file.is_file() else {}
        if name not in seconds:
            taken = []
            for steps in TIMED:
                with tempfile.TemporaryDirectory() as folder:
                    run = measured(*arguments, "--output", f"{folder}/run", f"steps={steps}")
                if run.code:
                    sys.exit(f"{' '.join(map(str, arguments))} ended with {run.code}")
                taken.append(run.cpu_seconds)
            seconds[name] = (taken[1] - taken[0]) / (TIMED[1] - TIMED[0])
            file.write_text(json.dumps(seconds, indent=1))
        return max(1, round(60 * self.minutes * share / seconds[name]))


def mix(cnn: Path, others: Path, output: Path) -> None:
    """Writes a run of the CNN of one run and the other weights of encoder and head of another."""
    first, second = (Run.open(run).best()[1] for run in (cnn, others))
    weights = {name: values for name, values in second.items() if name.split("/")[0] in ("encoder", "head")}
    of_cnn = {name for name in weights if name.startswith("encoder/") and name.split("/")[3].startswith(CNN)}
    made = Run(output)
    made.checkpoints.mkdir(parents=True, exist_ok=True)
    for file in (made.config_file, made.charset_file):
        shutil.copy(others / file.name, file)
    state = {"step": 0, "loader": {}, "callbacks": {}}
    checkpoints.save(made.checkpoints / "best.npz", weights | {name: first[name] for name in of_cnn}, state)


def words(keys: dict) -> list[str]:
    return [f"{name}={value}" for name, value in keys.items()]


def table(results: dict[str, dict]) -> str:
    """Markdown: a row per arm and number of labels, with its error relative to the arm without the part."""
    heads = ["arm", "labels", "steps", *METRICS.values(), "error relative to", "", "spread of both", ""]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in results.values():
        means = [statistics.mean(seed[metric] for seed in row["seeds"].values()) for metric in METRICS]
        steps = round(statistics.mean(seed["steps"] for seed in row["seeds"].values()))
        base = results.get(f"{ARMS[row['arm']].against} {row['labels']}")
        compared = compare(row["seeds"], base["seeds"]) if base else ["", "", ""]
        cells = [row["arm"], row["labels"], steps, *(f"{mean:.4f}" for mean in means),
                 base["arm"] if base else "", *compared]  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def compare(own: dict, base: dict) -> list[str]:
    """The ratio of the errors of two arms over the seeds that both have, the spread, and a verdict."""
    seeds = [seed for seed in own if seed in base]
    errors, others = ([1 - rows[seed]["edit_distance_accuracy"] for seed in seeds] for rows in (own, base))
    if not seeds:
        return ["", "", ""]
    difference, mean = statistics.mean(errors) - statistics.mean(others), statistics.mean(others)
    ratio = f"{1 + difference / mean:.2f}" if mean else "-"
    if len(seeds) == 1:
        return [ratio, "-", "one seed"]
    spread = math.hypot(statistics.stdev(errors), statistics.stdev(others))
    verdict = "within the spread" if abs(difference) <= spread else "better" if difference < 0 else "worse"
    return [ratio, f"{spread / mean:.2f}" if mean else "-", verdict]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sites", nargs="+", help="by default all")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--labels", nargs="+", type=int, default=[0, 20, 100])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=6.0, help="of training, of every arm")
    args = parser.parse_args()
    sites = [args.data / site for site in args.sites or sorted(folder.name for folder in args.data.glob("cap_*"))]
    missing = next((site for site in sites if not (site / "labels.csv").is_file()), None)
    if missing or not sites:
        sys.exit(f"{missing or args.data / 'cap_*'} has no labels.csv: give the folder that holds one folder per site")
    args.output.mkdir(parents=True, exist_ok=True)
    benchmark, results = Benchmark(args.output, args.minutes), {}
    for seed in range(args.seeds):
        for labels in args.labels:
            for name in args.arms:
                if not labels and not ARMS[name].adapted:
                    continue
                cells = [benchmark.cell(name, labels, seed, site) for site in sites]
                row = results.setdefault(f"{name} {labels}", {"arm": name, "labels": labels, "seeds": {}})
                row["seeds"][seed] = {key: statistics.mean(cell[key] for cell in cells) for key in (*METRICS, "steps")}
                names = (f"{site.name}{'*' if site.name in TUNED else ''}" for site in sites)
                foot = f"Means over {', '.join(names)} (* something was chosen on it); errors: edit-distance accuracy."
                write(args.output, table(results), foot, results)
    print(table(results), circumstances(), sep="\n\n")


if __name__ == "__main__":
    main()
