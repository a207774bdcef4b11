"""Writes a folder of generated captcha images with their labels.

A folder can be generated again from its seed, and a larger one begins with the same images as a smaller one.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from seqclr import files
from seqclr.errors import UserError
from seqclr.messages import bar
from seqclr.synthesis.drawing import draw
from seqclr.synthesis.encoding import save
from seqclr.synthesis.fonts import find_fonts
from seqclr.synthesis.styles import Style, check_style, load_style, read_length

LABELLED, UNLABELLED = 0, 1  # the parts of a folder, each with its own stream of random numbers


def generate(
    output: str | os.PathLike,
    count: int,
    style: str | os.PathLike = "login",
    seed: int = 0,
    test: int = 0,
    unlabelled: int = 0,
    progress: bool = True,
    characters: str | None = None,
    length: str | None = None,
    fonts: str | None = None,
) -> None:
    """Write a folder of images: `images/`, `labels.csv` (file, text, split) and, if asked for, `unlabelled/`.

    An image depends only on the style, the seed, its part (labelled or not) and its index: a larger count begins with
    the same images. `labels.csv` appears when all the labelled images are there.

    Args:
        output: a new or empty folder.
        count: labelled images; the last `test` of them have the split `test`, the others `train`.
        style: name of a preset or a YAML file.
        seed: 0 or more.
        unlabelled: number of further images without a label.
        progress: show a bar on stderr.
        characters, length, fonts: instead of the style's; a length such as "4" or "4:6", fonts as of `find_fonts`.

    Raises:
        UserError: a negative number, more test images than images, an unknown style, or an output that is not empty.
        files.NotWritten: a file cannot be written, such as on a full disk.
    """
    for name, number in {"count": count, "seed": seed, "test": test, "unlabelled": unlabelled}.items():
        if number < 0:
            raise UserError(f"{name} is {number}: give 0 or more")
    if test > count:
        raise UserError(f"test is {test}, more than the {count} labelled images: raise count or lower test")
    look = load_style(style)
    if characters is not None:
        look = replace(look, characters=characters)
    if length is not None:
        look = replace(look, length=list(read_length(length)))
    if fonts is not None:
        look = replace(look, fonts=find_fonts(fonts))
    if (characters, length, fonts) != (None, None, None):
        check_style(look, style)
    root = _new_folder(output)

    with bar(total=count + unlabelled, unit="image", disable=not progress) as drawn:
        table, partial = root / "labels.csv", root / "labels.csv.partial"
        with files.writing(table), _open_new(partial) as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["file", "text", "split"])
            for index, (name, text) in enumerate(_write_images(root / "images", look, seed, LABELLED, count)):
                rows.writerow([name, text, "train" if index < count - test else "test"])
                drawn.update()
        with files.writing(table):
            partial.replace(table)
        if unlabelled:
            for _ in _write_images(root / "unlabelled", look, seed, UNLABELLED, unlabelled):
                drawn.update()


def _new_folder(output: str | os.PathLike) -> Path:
    root = Path(output)
    if files.exists(root) and not root.is_dir():
        raise UserError(f"{root} is a file: name another folder")
    files.check_can_make(root / "images")
    with files.writing(root):
        root.mkdir(parents=True, exist_ok=True)
        if any(root.iterdir()):
            raise UserError(f"{root} is not empty: name another folder, nothing is overwritten")
    return root


def _open_new(file: Path) -> IO[str]:
    try:
        return file.open("x", encoding="utf-8", newline="")
    except FileExistsError:  # by another process, since it was looked at
        raise UserError(f"{file.parent} is not empty: name another folder, nothing is overwritten") from None


def _write_images(folder: Path, style: Style, seed: int, part: int, count: int) -> Iterator[tuple[str, str]]:
    """Write the images of a part one by one, yielding the name and text of each."""
    with files.writing(folder):
        folder.mkdir()
    for index in range(count):
        image, text = draw(style, np.random.default_rng([seed, part, index]))
        name = f"{index:06d}.{style.format}"
        with files.writing(folder / name):
            save(style, image, folder / name)
        yield name, text
