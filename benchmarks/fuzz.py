"""Fuzzing: checks that no malformed input ends in a traceback, a crash or a hang.

    python benchmarks/fuzz.py [--minutes 10] [--seed N] [TARGET ...]

Every target generates inputs with Hypothesis, valid files with changed bytes or structures of unusual values, and
passes them to the functions that read such input. They must return a result or raise a UserError of one line within a
few seconds. Targets alternate until the time is up; a failed target stops, with its input minimized. Prints the number
of inputs per target; exits with 1 if any failed. `tests/test_fuzz.py` runs a few inputs of each, always the same.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import functools
import io
import json
import os
import random
import shutil
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from seqclr.config import FinetuneConfig, PretrainConfig, load_yaml, resolve
from seqclr.curation import pack
from seqclr.curation.check import check
from seqclr.data import images, lmdbs, shards
from seqclr.data.charset import Charset
from seqclr.data.discovery import find, find_images, find_unlabelled, survey
from seqclr.data.samples import Sample
from seqclr.data.sequences import expand
from seqclr.errors import UserError
from seqclr.synthesis import styles

SECONDS = 10  # most seconds per input
ROUND = 200  # inputs of a target per turn
Draw = Callable

# values that often cause errors
INTEGERS = st.sampled_from([0, 1, -1, 2, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, 10**9])
ODD = ["", " ", "\0", "\ud800", "\u202e", "\u200b", "null", "???", "${oc.env:HOME}", "${x}", "[", "{}", "a" * 5000]
TEXTS = st.sampled_from(ODD) | st.text(max_size=8)
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, st.integers(), st.floats(), TEXTS)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3))


@contextlib.contextmanager
def tolerated() -> Iterator[None]:
    """Allows a UserError if it is one line."""
    try:
        yield
    except UserError as error:
        assert str(error) and "\n" not in str(error), repr(str(error))


def changed(draw: Draw, data: bytes) -> bytes:
    """Bytes with a few random changes: values replaced, parts deleted, duplicated or cut off."""
    content = bytearray(data)
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.sampled_from([1, 1, 2, 4, 8, 64, 512]))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            content[start : start + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == 1:
            width, order = draw(st.sampled_from([1, 2, 4, 8])), draw(st.sampled_from(["little", "big"]))
            content[start : start + width] = (draw(INTEGERS) % 256**width).to_bytes(width, order)
        elif kind == 2:
            del content[start : start + length]
        elif kind == 3:
            content[start:start] = content[start : start + length]
        elif kind == 4:
            content[start:] = b""
        else:
            content[start : start + length] = draw(st.binary(max_size=16))
    return bytes(content)


# images


@functools.cache
def valid_images() -> list[bytes]:
    gray = Image.linear_gradient("L").resize((12, 10))
    kinds = {mode: gray.convert("RGB").convert(mode) for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16")}
    found = []
    for image in kinds.values():
        for kind in images.FORMATS:
            for options in (
                {},
                {"save_all": True, "append_images": [image.rotate(180), image]},
                {"compression": "tiff_lzw"},
            ):
                with contextlib.suppress(OSError, ValueError, KeyError), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    stream = io.BytesIO()
                    image.save(stream, kind, **options)
                    found.append(stream.getvalue())
    return list(dict.fromkeys(found))


def exif(draw: Draw) -> bytes:
    """EXIF of tags with any types, counts and values."""
    numbers = st.one_of(
        st.sampled_from([0x0112, 0x0100, 0x8769, 0x8825, 0x011A, 0x9286, 0x02BC]), st.integers(0, 65535)
    )
    tags = draw(st.lists(st.tuples(numbers, st.integers(0, 14), INTEGERS, INTEGERS), max_size=5))
    rows = b"".join(struct.pack("<HHII", tag, kind, count % 2**32, value % 2**32) for tag, kind, count, value in tags)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + rows + bytes(4) + draw(st.binary(max_size=20))


def fuzz_images(draw: Draw, folder: Path) -> None:
    if draw(st.booleans()) and draw(st.booleans()):
        stream = io.BytesIO()
        kind = draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))
        Image.new("RGB", (12, 10)).save(stream, kind, exif=exif(draw))
        data = stream.getvalue()
    else:
        data = changed(draw, draw(st.sampled_from(valid_images())))
    path = folder / "x.png"
    path.write_bytes(data)
    with tolerated():
        pixels = images.decode(data, "x.png")
        assert pixels.dtype == "uint8" and pixels.ndim == 3 and pixels.shape[2] == 3
    with tolerated():
        frames = expand([Sample("x", str(path))])
        for sample in frames:
            images.decode(sample.read_bytes(), sample.name)


# tables and folders


def look(path: Path) -> None:
    """Calls every function that lists images, on one path."""
    for read in (find, find_unlabelled, lambda paths: find(paths, "test"), survey, find_images):
        with tolerated():
            read([path])
    with tolerated(), contextlib.redirect_stdout(io.StringIO()):
        report = check([path])
        report.text().encode()
        json.dumps(report.figures(), ensure_ascii=False).encode()


NAMES = ["a.png", "b.png", "images/a.png", "..", "/", "a.png/x", "train", "test", '"', "x" * 300]
FIELDS = st.sampled_from(NAMES) | TEXTS
HEADS = st.lists(st.sampled_from(["file", "text", "split", "", "file ", "x"]), min_size=1, max_size=4)


def fuzz_tables(draw: Draw, folder: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (12, 10)).save(folder / name)
    suffix = draw(st.sampled_from([".csv", ".tsv", ".jsonl"]))
    if suffix == ".jsonl":
        rows = st.one_of(VALUES, st.fixed_dictionaries({"file": FIELDS | VALUES, "text": FIELDS | VALUES}))
        lines = [json.dumps(row, ensure_ascii=draw(st.booleans())) for row in draw(st.lists(rows, max_size=4))]
    else:
        rows = draw(st.lists(st.lists(FIELDS, max_size=4), max_size=4))
        quoted = draw(st.booleans())
        lines = [
            ("," if suffix == ".csv" else "\t").join(f'"{field}"' if quoted else field for field in row)
            for row in [draw(HEADS), *rows]
        ]
    data = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(lines).encode("utf-8", "surrogatepass")
    name = "labels.csv" if suffix == ".csv" else f"list{suffix}"
    (folder / name).write_bytes(changed(draw, data) if draw(st.booleans()) else data)
    (folder / "b.gt.txt").write_bytes(draw(st.binary(max_size=8)))
    look(folder / name)
    look(folder)
    with tolerated():
        find([folder], pattern=draw(st.sampled_from(["{text}.png", "{any}{text}.{any}"]) | TEXTS))


# configurations


def dumped(draw: Draw, values: object) -> bytes:
    """Values as JSON, which is also YAML, or as lines of `key: value`."""
    if isinstance(values, dict) and draw(st.booleans()):
        text = "\n".join(f"{key}: {value}" for key, value in values.items())
    else:
        text = json.dumps(values)
    data = text.encode("utf-8", "surrogatepass")
    return changed(draw, data) if draw(st.booleans()) else data


def fuzz_configs(draw: Draw, folder: Path) -> None:
    from seqclr.engine import setup
    from seqclr.methods import METHODS, find_method

    method = find_method(draw(st.sampled_from(sorted(METHODS))))
    base = draw(st.sampled_from([PretrainConfig, FinetuneConfig]))
    keys = st.sampled_from([*base.__dataclass_fields__, *method.__dataclass_fields__]) | TEXTS
    values = draw(st.dictionaries(keys, VALUES, max_size=4) | VALUES)
    (folder / "x.yaml").write_bytes(dumped(draw, values))
    words = draw(st.dictionaries(keys, TEXTS, max_size=2))
    with tolerated():
        config = resolve(base, method, [load_yaml(folder / "x.yaml"), words])
        setup.check(config, method)
    images.set_limits(images.Limits())


def fuzz_styles(draw: Draw, folder: Path) -> None:
    keys = st.sampled_from(list(styles.Style.__dataclass_fields__)) | TEXTS
    (folder / "style.yaml").write_bytes(dumped(draw, draw(st.dictionaries(keys, VALUES, max_size=4) | VALUES)))
    with tolerated():
        styles.load_style(str(folder / "style.yaml"))


STEPS = ["GaussianBlur", "Affine", "ToGray", "HueSaturationValue", "ToFloat", "Normalize", "CoarseDropout", "Resize",
         "RandomCrop", "MixUp", "Compose", "Lambda", "TextImage", "Lines", "Strip", "GridDistortion"]  # fmt: skip
ARGUMENTS = ["p", "blur_limit", "scale", "rotate", "height", "width", "num_steps", "distort_limit", "reference_data"]


def fuzz_views(draw: Draw, folder: Path) -> None:
    from seqclr.transforms import readable
    from seqclr.transforms.views import Views, groups

    numbers = st.lists(INTEGERS | st.floats(), max_size=2) | st.floats(0, 1) | VALUES
    step = st.builds(
        lambda name, more: {"name": name, **more},
        st.sampled_from(STEPS) | VALUES,
        st.dictionaries(st.sampled_from(ARGUMENTS) | TEXTS, numbers, max_size=2),
    )
    steps = draw(st.lists(step, max_size=2) | VALUES)
    if draw(st.booleans()):
        steps = {"groups": [{"count": draw(VALUES), "steps": steps, "size": draw(numbers)}]}
    (folder / "views.yaml").write_bytes(dumped(draw, steps))
    groups.cache_clear()
    readable.check_views.cache_clear()
    readable.check_readable.cache_clear()
    with tolerated():
        readable.check_all(str(folder / "views.yaml"), 16, 32, "stretch", draw(st.booleans()))
        view = Views(str(folder / "views.yaml"))(np.full((16, 32, 3), 200, np.uint8), np.random.default_rng(0))
        assert view.dtype == "uint8" and view.ndim == 3 and view.shape[2] == 3


def fuzz_charsets(draw: Draw, folder: Path) -> None:
    known = {name: draw(VALUES) for name in ("characters", "case", "unknown")}
    data = {**known, **draw(st.dictionaries(TEXTS, VALUES, max_size=1))}
    (folder / "charset.json").write_bytes(dumped(draw, data))
    with tolerated():
        Charset.load(folder / "charset.json")


# stores


@functools.cache
def valid_pack() -> dict[str, bytes]:
    """The files of a pack of five images in two shards."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "site").mkdir()
        for i in range(5):
            Image.new("L", (12, 10), i).save(root / "site" / f"{i}.png")
        with contextlib.redirect_stderr(io.StringIO()):
            pack.pack([root / "site"], root / "pack", label_pattern="{text}.png", shard_size=3)
        return {file.name: file.read_bytes() for file in (root / "pack").iterdir()}


def look_and_read(path: Path) -> None:
    look(path)
    with tolerated():
        for sample in survey([path])[0]:
            with tolerated():
                sample.read_bytes()


def fuzz_packs(draw: Draw, folder: Path) -> None:
    content, with_digests = dict(valid_pack()), draw(st.booleans())
    facts = json.loads(content["pack.json"])
    if not with_digests:
        del facts["files"]
    kind = draw(st.integers(0, 2))
    if kind == 0:
        facts |= draw(st.dictionaries(st.sampled_from(sorted(facts)), VALUES, max_size=2))
    content["pack.json"] = json.dumps(facts).encode()
    if kind == 1:
        name = draw(st.sampled_from(sorted(content)))
        content[name] = changed(draw, content[name])
    if kind == 2:
        first, second, *_ = draw(st.permutations(sorted(content)))
        content[first], content[second] = content[second], content[first]
    for name, data in content.items():
        (folder / name).write_bytes(data)
    shards._reader.cache_clear()
    look_and_read(folder)
    look_and_read(folder / "pack-00000-of-00002.arrayrecord")


def fuzz_lmdbs(draw: Draw, folder: Path) -> None:
    """LMDBs with any keys and values, or truncated. Other content may crash the process: lmdb does not check it."""
    import lmdb

    keys = [b"num-samples"] + [f"{kind}-{number:09d}".encode() for kind in ("image", "label") for number in range(1, 4)]
    good = {key: b"3" for key in keys}
    odd = draw(
        st.dictionaries(st.sampled_from(keys), st.binary(max_size=30) | TEXTS.map(_encoded) | st.none(), max_size=3)
    )
    with (
        lmdb.open(str(folder), map_size=2**20, sync=False) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key, value in {**good, **odd}.items():
            if value is not None:
                transaction.put(key, value)
    file = folder / lmdbs.DATA
    if draw(st.booleans()):
        os.truncate(file, draw(st.integers(0, file.stat().st_size)))
    lmdbs._opened.cache_clear()
    look_and_read(folder)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


TARGETS = {
    function.__name__.removeprefix("fuzz_"): function
    for function in (
        fuzz_images,
        fuzz_tables,
        fuzz_configs,
        fuzz_styles,
        fuzz_views,
        fuzz_charsets,
        fuzz_packs,
        fuzz_lmdbs,
    )
}


# running


def hunt(target: str, examples: int, start: int | None = None) -> int:
    """Tries inputs of the seed `start`, by default always the same; returns their number. Raises a target's error."""
    tried = 0

    @settings(
        max_examples=examples,
        derandomize=start is None,
        database=None,
        deadline=SECONDS * 1000,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(st.data())
    def attempt(data):
        nonlocal tried
        tried += 1
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        try:
            with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
                warnings.simplefilter("ignore")
                TARGETS[target](data.draw, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    (attempt if start is None else seed(start)(attempt))()
    return tried


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    args = parser.parse_args()
    for target in args.targets:
        if target not in TARGETS:
            parser.error(f"'{target}' is no target: {', '.join(TARGETS)}")
    faulthandler.enable()
    end, counts, failed, start = time.monotonic() + 60 * args.minutes, Counter(), {}, args.seed
    print(f"seed {args.seed}", flush=True)
    while time.monotonic() < end:
        for target in args.targets or TARGETS:
            if target in failed:
                continue
            faulthandler.dump_traceback_later(60 * SECONDS, exit=True)  # prints where a target hangs
            try:
                counts[target] += hunt(target, ROUND, start)
            except Exception:
                failed[target] = traceback.format_exc()
                print(f"{target}, seed {start}:\n{failed[target]}", flush=True)
            faulthandler.cancel_dump_traceback_later()
        start += 1
    print(
        ", ".join(f"{target} {counts[target]}" for target in counts) + f" inputs; failed: {', '.join(failed) or 'none'}"
    )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
