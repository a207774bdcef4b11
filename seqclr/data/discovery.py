"""Finds the samples of paths: folders, tables, labels in file names, `.gt.txt` files, LMDBs and packs. Host side.

A data set is a list of `Sample`; no image is decoded to make it. data/dataset.py gives random access to the images.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seqclr import files
from seqclr.data import folders, images, lmdbs, shards, tables
from seqclr.data.annotations import Annotation, AnnotationReader, by_image, is_corrected, merge
from seqclr.data.hashes import content_digest
from seqclr.data.samples import HELD_OUT, Fault, Sample, count_splits, split_name
from seqclr.errors import UserError
from seqclr.messages import warn


def find(paths: Sequence[str | Path], split: str | None = None, pattern: str | None = None) -> list[Sample]:
    """The labelled samples of one or several sources. An image is one sample, whatever paths lead to it.

    paths: folders of images, folders with `labels.csv`, CSV, TSV or JSONL files, LMDB folders, packs or shards of them.
    split: only rows with this split, in any table above the image, whichever path was given.
    pattern: takes the text from file names, such as `{text}.png` or `{text}_{any}.jpg`.
    The texts of a table that is one of the paths replace those of folders, LMDBs and packs, with a warning. An empty
    text is no label: such images are left out, with a warning.
    Raises UserError for a path, row or column that is missing, for an image with two different texts or splits, and
    where no sample is left.
    """
    samples, empty = [], {}
    for path, items in _read(paths, pattern):
        found = _without_faults(items)
        empty |= dict.fromkeys(sample for sample in found if sample.text == "")
        if split is not None:
            found = _of_split(found, split, path)
        unlabelled = next((sample for sample in found if sample.text is None), None)
        if unlabelled is not None:
            raise UserError(
                f"{unlabelled.name} has no text: {path} needs a labels.csv with the columns file,text, a .gt.txt "
                "beside each image, or a pattern for the file names (label_pattern='{text}.png')"
            )
        samples += [sample for sample in found if sample not in empty]
    if empty and not samples:
        raise UserError(f"{next(iter(empty)).name} has an empty text, as all others: label the images first")
    if empty:
        _warn_of_empty(len(empty), next(iter(empty)).name)
    return list(dict.fromkeys(samples))


def find_unlabelled(
    paths: Sequence[str | Path],
    split: str | None = None,
    known: Sequence[str | Path] = (),
    pattern: str | None = None,
) -> list[Sample]:
    """All samples of some paths, with or without a text.

    Samples of split `test` and `validation` are left out unless `split` names it: images for evaluation must not be
    trained on, even without their labels. known: further paths, whose splits count too. pattern: as of `find`.
    Raises UserError as `find`.
    """
    samples = []
    for path, items in _read(paths, pattern, split is None, known):
        found = _without_faults(items)
        if split is not None:
            found = _of_split(found, split, path)
        if not found:
            raise UserError(f"{path} holds no image to train on: give a folder of images ({_suffixes()})")
        samples += found
    free = [sample for sample in dict.fromkeys(samples) if split is not None or sample.split not in HELD_OUT]
    if not free:
        raise UserError(
            f"{paths[0]} holds no image to train on: it has {count_splits(samples)}; to train on them, name the split"
        )
    return free


def find_images(paths: Sequence[str | Path]) -> tuple[list[Sample], list[str]]:
    """The images of files and folders in the given order, and a message for each path that is neither."""
    samples, messages = [], []
    for path in map(Path, paths):
        try:
            exists = files.exists(path)
        except UserError as error:
            messages.append(str(error))
            continue
        if shards.is_pack(path):
            samples += _packed(shards.sources(path), path)
        elif path.is_dir():
            samples += [Sample(path.name, str(file)) for file in folders.walk(path, nested_too=True)[0]]
        elif path.is_file():
            samples.append(Sample(path.parent.name, str(path)))
        else:
            messages.append(
                f"{path} {'is neither a file nor a folder' if exists else 'does not exist'}: check the path"
            )
    return samples, messages


def survey(paths: Sequence[str | Path], pattern: str | None = None) -> tuple[list[Sample], list[Fault]]:
    """All samples of some paths, with or without a text and of any split, and all rows or files that give none."""
    found = dict.fromkeys(item for _, items in _read(paths, pattern, everything=True) for item in items)
    return [item for item in found if isinstance(item, Sample)], [item for item in found if isinstance(item, Fault)]


def exclude(samples: Sequence[Sample], others: Iterable[Sample]) -> list[Sample]:
    """The samples whose image is not among the others.

    Paths, links and hard links of one file are one image. A pack or an LMDB holds copies: where the samples are not all
    in one store, or all outside, files of equal bytes are one image too.
    """
    reader, others = AnnotationReader(), list(others)
    excluded = {reader.image_id(sample) for sample in others}
    left = [sample for sample in samples if reader.image_id(sample) not in excluded]
    if left and len({_store(sample) for sample in (*left, *others)}) > 1:
        copies = {_digest(sample) for sample in others} - {None}
        left = [sample for sample in left if _digest(sample) not in copies]
    return left


def _store(sample: Sample) -> str | None:
    """The pack or LMDB of a sample."""
    return os.path.dirname(sample.store) if sample.store and sample.index is not None else sample.store


def _digest(sample: Sample) -> int | None:
    try:
        return content_digest(sample)
    except UserError:  # whoever needs the image reports it
        return None


def _without_faults(items: Iterable[Sample | Fault]) -> list[Sample]:
    samples = []
    for item in items:
        if isinstance(item, Fault):
            raise UserError(item.reason)
        samples.append(item)
    return samples


def _of_split(samples: list[Sample], split: str, path: Path) -> list[Sample]:
    name = split_name(split)
    found = [sample for sample in samples if name and sample.split == name]
    if not found:
        known = sorted({sample.split for sample in samples if sample.split})
        raise UserError(
            f"{path} has no rows of split '{split}': "
            + (f"it has {', '.join(known)}" if known else "it has no split column, so leave --split out")
        )
    return found


# reading


def _read(
    paths: Sequence[str | Path],
    pattern: str | None,
    everything: bool = False,
    known: Sequence[str | Path] = (),
) -> list[tuple[Path, list[Sample | Fault]]]:
    """The samples and faults of each path. An image is the same sample in all of them, of the first source that has it.

    everything: also the images of a folder that its table does not list. known: paths that only give splits.
    """
    if not paths:
        raise UserError("no data given: name a folder, a table, an LMDB or a pack with --data")
    if pattern is not None:
        folders.label_pattern(pattern)  # raises for a wrong one, also where no file name is read
    reader = AnnotationReader()
    groups = [
        (path, list(_annotations(names, path, pattern, everything, reader))) for names, path in _named(paths, reader)
    ]
    others = itertools.chain(*(_annotations(names, path, None, False, reader) for names, path in _named(known, reader)))
    annotations, more = by_image(item for _, items in groups for item in items), by_image(others)
    samples = {image: merge(found, more.get(image, []), reader) for image, found in annotations.items()}
    corrected = sum(map(is_corrected, annotations.values()))
    if corrected:
        _warn_of(corrected, ", ".join(str(path) for path, _ in groups if _is_table(path)))
    result = [
        (path, [samples[item.image] if isinstance(item, Annotation) else item for item in items])
        for path, items in groups
    ]
    result[0][1].extend(reader.faults)
    return result


@functools.cache  # once, as many read the same paths several times
def _warn_of(corrected: int, names: str) -> None:
    warn(f"{corrected} label(s) of the data are replaced by those of {names}")


@functools.cache
def _warn_of_empty(count: int, name: str) -> None:
    warn(f"{count} image(s) with an empty text are left out, such as {name}")


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in tables.DELIMITERS and path.is_file()


def _named(paths: Sequence[str | Path], reader: AnnotationReader) -> list[tuple[list[str], Path]]:
    """Each path with the name of its source (its last part, or the names in a pack), numbered where a name repeats."""
    taken: set[str] = set()
    named = []
    if "" in paths:
        raise UserError("a path of the data is empty: name a file or a folder, '.' for the one that you are in")
    for path in (source for given in paths for source in _sources(Path(given), reader)):
        folder = path.resolve() if path.is_dir() else path.resolve().parent
        names = shards.sources(path) if shards.is_pack(path) else [folder.name]
        named.append(([_unique(name, taken) for name in names], path))
    return named


def _unique(name: str, taken: set[str]) -> str:
    """The name, with a number where it is taken already; adds it to `taken`."""
    number = 2
    while name in taken:
        name, number = f"{name.rsplit('#')[0]}#{number}", number + 1
    taken.add(name)
    return name


def _sources(path: Path, reader: AnnotationReader) -> list[Path]:
    """The path, and every folder below it that has a labels.csv of its own."""
    if not files.exists(path):
        raise UserError(f"{path} does not exist: check the path")
    if not path.is_dir():
        return [path]
    found, nested = reader.walk(path)
    return nested if nested and not (path / tables.LABELS).is_file() and not found else [path, *nested]


def _annotations(
    names: list[str], path: Path, pattern: str | None, everything: bool, reader: AnnotationReader
) -> Iterable[Annotation | Fault]:
    """The annotations in a path.

    A folder or pack with labels gives its labelled images, or with `everything` all; one without gives all.
    """
    name = names[0]
    if shards.is_pack(path):
        samples = _packed(names, path)
        labelled = [sample for sample in samples if sample.text is not None]
        return map(reader.annotation, samples if everything else labelled or samples)
    if _is_table(path):
        return _from_table(name, path, reader, given=True)
    if path.is_file() and path.suffix.lower() in images.SUFFIXES:
        return _from_files(name, [path], pattern, reader)
    if path.is_file():
        raise UserError(f"{path} is neither a folder, an image nor a table ({', '.join(tables.DELIMITERS)})")
    if lmdbs.is_lmdb(path):
        return _from_lmdb(name, path, reader)
    found, _ = reader.walk(path)
    if pattern is None and (path / tables.LABELS).is_file():
        listed = list(_from_table(name, path / tables.LABELS, reader))
        if everything:
            known = {item.image for item in listed if isinstance(item, Annotation)}
            unlisted = (reader.annotation(Sample(name, str(file))) for file in found)
            listed += [annotation for annotation in unlisted if annotation.image not in known]
        return listed
    if not found:
        raise UserError(f"{path} holds no image: give a folder of images ({_suffixes()})")
    if pattern is None and not everything:
        found = [file for file in found if reader.rows_above(reader.annotation(Sample(name, str(file))))] or found
    return _from_files(name, found, pattern, reader)


def _suffixes() -> str:
    return ", ".join(sorted(suffix[1:] for suffix in images.SUFFIXES))


def _from_table(name: str, path: Path, reader: AnnotationReader, given: bool = False) -> Iterator[Annotation | Fault]:
    rows = reader.rows(path)
    if not rows:
        raise UserError(f"{path} has no rows: the columns are file,text and perhaps split")
    for row in rows:
        if isinstance(row, Fault):
            yield row
        else:
            yield row._replace(sample=dataclasses.replace(row.sample, source=name), given=given)


def _from_files(
    name: str, found: list[Path], pattern: str | None, reader: AnnotationReader
) -> Iterator[Annotation | Fault]:
    """Annotations of image files; the text is from the file name, or from a `.gt.txt` where no table has one."""
    expression = None if pattern is None else folders.label_pattern(pattern)
    for file in found:
        annotation, truth = reader.annotation(Sample(name, str(file))), folders.ground_truth_file(file)
        if expression:
            match = expression.fullmatch(file.name)
            if match:
                yield annotation._replace(sample=dataclasses.replace(annotation.sample, text=match["text"]))
            else:
                reason = f"{file} does not fit the pattern '{pattern}': rename it or change the pattern"
                yield Fault(str(file), reason)
        elif truth.is_file() and not reader.rows_above(annotation):
            try:
                text = folders.read_ground_truth(truth)
                yield Annotation(annotation.image, dataclasses.replace(annotation.sample, text=text), str(truth))
            except UserError as error:
                yield Fault(str(file), str(error))
        else:
            yield annotation


def _from_lmdb(name: str, path: Path, reader: AnnotationReader) -> Iterator[Annotation | Fault]:
    store = str(path)
    for key, text, wrong in lmdbs.samples(store):
        if wrong is None:
            yield reader.annotation(Sample(name, key, text, store=store))
        else:
            yield Fault(f"{store}:{key}", wrong)


def _packed(names: list[str], path: Path) -> list[Sample]:
    """All samples of a pack; names: of its sources."""
    return [
        Sample(names[source], file, text, split, shard, index)
        for shard, index, (source, file, text, split) in shards.rows(path)
    ]
