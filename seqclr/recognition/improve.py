"""The next round of a reader: trained on images with feedback, and compared with the reader before.

The folder of the images is written by `seqclr serve --keep`. The accepted texts of split `test` are held out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

from scipy.stats import binomtest

from seqclr import files
from seqclr.config import settings
from seqclr.data import tables
from seqclr.data.discovery import find, survey
from seqclr.data.labels import ACCEPTED, REFUSED
from seqclr.data.samples import HELD_OUT, SPLITS, Fault, Sample
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.messages import say, warn
from seqclr.recognition import adapt
from seqclr.recognition.recognizer import Recognizer

STEPS = 1000
LEVEL = 0.05  # significance level


@dataclasses.dataclass(frozen=True)
class Part:
    """Images that two readers are compared on: which of them each predicts right."""

    name: str
    old: Sequence[bool]
    new: Sequence[bool]

    @property
    def only_old(self) -> int:
        return sum(a and not b for a, b in zip(self.old, self.new))

    @property
    def only_new(self) -> int:
        return sum(b and not a for a, b in zip(self.old, self.new))

    @property
    def p(self) -> float:
        """The p-value of McNemar's exact test (1947), two-sided."""
        differing = self.only_old + self.only_new
        return float(binomtest(self.only_new, differing).pvalue) if differing else 1.0

    def figures(self) -> dict:
        images = len(self.old)
        shares = {
            name: sum(right) / images if images else None for name, right in (("old", self.old), ("new", self.new))
        }
        return {"images": images, **shares, "only_old": self.only_old, "only_new": self.only_new, "p": self.p}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """run: the new reader. parts: images that no reader is trained on."""

    run: Path
    parts: Sequence[Part]

    @property
    def together(self) -> Part:
        return Part("together", *([x for part in self.parts for x in getattr(part, name)] for name in ("old", "new")))

    @property
    def better(self) -> bool:
        """Whether the new reader is significantly better on all images, and on no part significantly worse."""
        worse = any(part.only_new < part.only_old and part.p < LEVEL for part in self.parts)
        return self.together.only_new > self.together.only_old and self.together.p < LEVEL and not worse

    def table(self) -> str:
        lines = [f"{'exact match':20}  images     old     new  only old  only new       p (McNemar, exact)"]
        for part in (*self.parts, self.together):
            row = part.figures()
            shares = "  ".join("     -" if row[name] is None else f"{row[name]:6.3f}" for name in ("old", "new"))
            counts = f"{row['only_old']:8}  {row['only_new']:8}"
            lines.append(f"{part.name:20}  {row['images']:6}  {shares}  {counts}  {row['p']:6.4f}")
        return "\n".join([*lines, f"the new reader is {'better' if self.better else 'not significantly better'}"])

    def figures(self) -> dict:
        return {"better": self.better, **{part.name: part.figures() for part in (*self.parts, self.together)}}


def improve(
    model: str | Path,
    feedback: str | Path,
    output: str | Path,
    data: Sequence[str] = (),
    steps: int = STEPS,
    resume: bool = False,
) -> Comparison:
    """Adapts a reader to the images with feedback, and compares it with the reader before.

    model: a run that predicts text. feedback: the folder of a model under `serve --keep`. output: a new folder, with a
    copy of the images as they are now, and `run`. data: more images and labels to train on; their labelled rows of
    split `validation` and `test` are compared on. steps: of the training. resume: continue in the folder.

    An image with a refused text is trained on without a label, and that text is made less likely. It is not compared
    on: the old reader is wrong there by choice of the image, and whether another text is right is not known. An image
    that cannot be read is neither trained nor compared on, and counted in a warning.

    Raises UserError if an argument or the data are wrong; then a new folder is not kept.
    """
    target = Path(output)
    if resume and not (target / "data").is_dir():
        raise UserError(f"{output} is no round that was begun: leave --resume out")
    if not resume:
        files.check_new(target)
    old = Recognizer.load(model)
    fixed = [sample for sample in survey(data)[0] if sample.text and sample.split in HELD_OUT] if data else []
    if not fixed:
        warn("no labelled rows of split validation or test in the data: accepted texts alone show no gain")
    if not resume:
        copy(Path(feedback), target)
    run, labelled = target / "run", find([target / "data"])
    accepted = [sample for sample in labelled if sample.split == "test"]
    compared = {"labelled, held out": readable(fixed), "accepted, held out": readable(accepted)}
    before = {name: right(old, samples) for name, samples in compared.items()}
    try:
        train(model, old, labelled, [*data, str(target / "data")], run, steps)
    except UserError:
        if not resume and not Run(run).config_file.is_file():  # adapt has refused it: the next try is a new one
            shutil.rmtree(target)
        raise
    new = Recognizer.load(run)
    return Comparison(run, [Part(name, before[name], right(new, samples)) for name, samples in compared.items()])


def copy(feedback: Path, target: Path) -> None:
    """Copies the images with feedback, and the accepted texts, to `data`.

    The server goes on adding and removing images.
    """
    accepted, refused = (kept(feedback, table) for table, _ in (ACCEPTED, REFUSED))
    if all(sample.split in HELD_OUT for sample in accepted):
        raise UserError(f"{feedback} has no accepted text to train on yet: serve the reader with --keep for longer")
    with files.atomic_folder(target) as beside:
        (beside / "data").mkdir()
        accepted, refused = copied(accepted, beside / "data"), copied(refused, beside / "data")
        tables.write(beside / "data" / tables.LABELS, accepted)
        tables.write(beside / "data" / REFUSED[0], refused)
    say(f"{len(accepted)} accepted texts, one in five of them held out, and {len(refused)} refused ones")


def kept(feedback: Path, table: str) -> list[Sample]:
    """The rows of a table of `--keep` whose images the server has not removed meanwhile.

    Raises UserError where there is no such table, or it is another program's.
    """
    folders = {feedback / images for _, images in (ACCEPTED, REFUSED)}  # refused images may be labelled by hand
    if not (feedback / table).is_file():
        raise UserError(f"{feedback} has no {table}: give the folder of a model under the --keep of seqclr serve")
    samples = []
    for row in tables.rows(feedback / table):
        if isinstance(row, Fault):
            if row.missing:
                continue
            raise UserError(row.reason)
        sample, where = row
        if Path(sample.file).parent not in folders or sample.split not in SPLITS:
            raise UserError(f"{where} is not as seqclr serve writes it: give its folder")
        if sample.text:  # an empty one is of an image that was marked as unreadable by hand
            samples.append(sample)
    return samples


def copied(samples: Sequence[Sample], target: Path) -> list[Sample]:
    """Copies the images, each in its folder; returns the samples of the copies that were made."""
    found = []
    for sample in samples:
        file = target / Path(sample.file).parent.name / Path(sample.file).name
        file.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            shutil.copyfile(sample.file, file)
            found.append(dataclasses.replace(sample, file=str(file)))
    return found


def train(
    model: str | Path, old: Recognizer, labelled: Sequence[Sample], data: Sequence[str], run: Path, steps: int
) -> None:
    """Adapts the reader, or continues. A reader of one site goes on to predict the same characters and lengths.

    labelled: images with accepted texts, whose lengths are added.
    """
    values = {"model": str(model), "data": list(data), "steps": steps}
    if hasattr(Run.open(model).config(), "labels"):
        values["charset"] = old.charset.characters
        if lengths := old.possible.lengths or old.lengths:
            lengths = {*lengths, *(len(old.charset.normalize(sample.text)) for sample in labelled)}
            values["length"] = ",".join(map(str, sorted(lengths)))
    resume = Run(run).config_file.is_file()
    adapt.adapt(adapt.configure(settings(run if resume else None, None, values)), str(run), resume)


def readable(samples: Sequence[Sample]) -> list[Sample]:
    """The samples whose images can be read; warns of others."""
    found = [sample for sample in samples if sample.is_readable()]
    if len(found) < len(samples):
        warn(f"{len(samples) - len(found)} held-out image(s) that cannot be read are not compared on")
    return found


def right(reader: Recognizer, samples: Sequence[Sample]) -> list[bool]:
    """Whether the reader predicts the label of each sample."""
    texts = [reader.charset.normalize(sample.text) for sample in samples]
    return [text == predicted for text, (predicted, _) in zip(texts, reader.predict_samples(samples))]
