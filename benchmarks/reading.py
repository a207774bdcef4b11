"""What it takes to read an image with each form of export, and with ddddocr where it is installed.

    pip install ".[test,bench]"
    python benchmarks/reading.py --exports R/saved R/onnx R/lite --data SITE --output runs/reading

Each form reads the test images of SITE (or other rows, --split) in a process of its own, one image after the other, all
on one core. The processes take turns of 20 images, so that they meet the same load of the machine. A SavedModel is
read by TensorFlow alone, the other exports by the light installation of seqclr. Columns:

    CPU ms an image  median, from the bytes of the file to the text
    MB of the model  files of the export's graph
    MB installed     packages that the form needs, with their dependencies
    s to the first   from the start of the process to its first text
    MB resident      of the process, at most
    exact match      without regard to case
    speed            times as fast as ddddocr

With --output writes table.md and results.json.
"""

import argparse
import importlib.metadata
import importlib.util
import itertools
import json
import multiprocessing
import os
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

from commands import write

TURN = 20  # images
PACKAGES = {
    "savedmodel": ["tensorflow"],
    "onnx": ["numpy", "onnxruntime", "pillow", "pyyaml"],
    "litert": ["numpy", "onnxruntime", "pillow", "pyyaml", "ai-edge-litert"],
    "ddddocr": ["ddddocr"],
}
COLUMNS = {
    "ms": ("CPU ms an image", ".2f"),
    "model": ("MB of the model", ".2f"),
    "installed": ("MB installed", ".0f"),
    "first": ("s to the first", ".2f"),
    "resident": ("MB resident", ".0f"),
    "exact": ("exact match", ".4f"),
    "speed": ("speed", ".1f"),
}


class Form(NamedTuple):
    name: str
    kind: str  # of PACKAGES
    folder: Path | None


def reader_of(form: Form):
    """A function of the bytes of an image that returns its text."""
    if form.kind == "ddddocr":
        import ddddocr

        return ddddocr.DdddOcr(show_ad=False).classification
    if form.kind == "savedmodel":
        import tensorflow as tf

        model = tf.saved_model.load(str(form.folder))
        serve = model.signatures["serving_default"]
        return lambda data, _=model: serve(image_bytes=tf.constant([data]))["text"].numpy()[0].decode()
    import seqclr

    reader = seqclr.load(form.folder)
    return lambda data: reader.predict([data])[0].text


def work(connection, form: Form) -> None:
    """A process: lists of images come in, lists of text and milliseconds go out, and at the end the memory in MB."""
    read = reader_of(form)
    while images := connection.recv():
        rows = []
        for data in images:
            start = time.process_time()
            rows.append((read(data), 1e3 * (time.process_time() - start)))
        connection.send(rows)
    scale = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, KiB elsewhere
    connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale)


def measure(forms: list[Form], images: list[bytes], rounds: int) -> dict[str, dict]:
    """Texts, and the columns that time and memory give, of each form."""
    context = multiprocessing.get_context("spawn")
    connections, rows, found = {}, {form.name: [] for form in forms}, {form.name: {} for form in forms}
    for form in forms:
        start = time.perf_counter()
        connections[form.name], other = context.Pipe()
        context.Process(target=work, args=(other, form), daemon=True).start()
        other.close()
        connections[form.name].send(images[:1])
        connections[form.name].recv()
        found[form.name]["first"] = time.perf_counter() - start
    turns = [images[start : start + TURN] for start in range(0, len(images), TURN)]
    for turn, (name, connection) in itertools.product(turns * rounds, connections.items()):
        connection.send(turn)
        rows[name] += connection.recv()
    for name, connection in connections.items():
        connection.send([])
        found[name]["resident"] = connection.recv()
        found[name]["ms"] = statistics.median(ms for _, ms in rows[name])
        found[name]["texts"] = [text for text, _ in rows[name][: len(images)]]
    return found


def size_of_packages(names: list[str]) -> float:
    """MB of packages and all that they depend on."""
    from packaging.requirements import Requirement

    waiting, sizes = list(names), {}
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in sizes:
            continue
        distribution = importlib.metadata.distribution(name)
        paths = (Path(distribution.locate_file(file)) for file in distribution.files or [])
        sizes[name] = sum(path.stat().st_size for path in paths if path.is_file())
        for line in distribution.requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return sum(sizes.values()) / 1e6


def size_of_folder(folder: Path) -> float:
    """MB of the files in a folder that are no compiled Python."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return sum(path.stat().st_size for path in files) / 1e6


def form_of(folder: Path) -> Form:
    """Exits where the folder is no export."""
    try:
        kind = json.loads((folder / "reader.json").read_text())["format"]
    except (OSError, ValueError, KeyError):
        sys.exit(f"{folder} is not an export: write one with seqclr export")
    return Form(str(folder), kind, folder)


def sizes_of(form: Form) -> dict[str, float]:
    """The columns `model` and `installed`."""
    sizes = {"installed": size_of_packages(PACKAGES[form.kind])}
    if form.folder is not None:
        files = json.loads((form.folder / "reader.json").read_text())["files"]
        sizes["model"] = sum((form.folder / name).stat().st_size for name in files) / 1e6
    if form.kind in ("onnx", "litert"):
        import seqclr

        sizes["installed"] += size_of_folder(Path(seqclr.__file__).parent)
    return sizes


def table(results: dict[str, dict]) -> str:
    """Markdown: a row per form."""
    head = ["form", *(title for title, _ in COLUMNS.values())]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in results.items():
        cells = [format(row[key], form) if key in row else "-" for key, (_, form) in COLUMNS.items()]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def main() -> None:
    from seqclr.data.discovery import find
    from seqclr.data.samples import evaluation_samples
    from seqclr.errors import UserError

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exports", nargs="+", type=Path, required=True, help="folders that seqclr export wrote")
    parser.add_argument("--data", required=True, help="labelled images")
    parser.add_argument("--split", help="rows to read (default: test, else validation, else all)")
    parser.add_argument("--rounds", type=int, default=3, help="times that every image is read (default: 3)")
    parser.add_argument("--output", type=Path, help="folder for table.md and results.json")
    args = parser.parse_args()
    try:
        found = find([args.data], args.split)
        samples = found if args.split else evaluation_samples(found)
        images = [sample.read_bytes() for sample in samples]
    except UserError as error:
        sys.exit(str(error))
    forms = [form_of(folder) for folder in args.exports]
    if importlib.util.find_spec("ddddocr"):
        forms.append(Form("ddddocr", "ddddocr", None))
    os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")}
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # inherited by the processes
    results = measure(forms, images, args.rounds)
    wanted = [sample.text.lower() for sample in samples]
    for form in forms:
        row = results[form.name]
        texts = [text.lower() for text in row.pop("texts")]
        row |= sizes_of(form) | {"exact": sum(a == b for a, b in zip(texts, wanted)) / len(wanted)}
        if "ddddocr" in results:
            row["speed"] = results["ddddocr"]["ms"] / row["ms"]
    text = table(results)
    print(text)
    if args.output:
        args.output.mkdir(parents=True, exist_ok=True)
        foot = f"{len(images)} images of {Path(args.data).name}, each read {args.rounds} times on one core."
        write(args.output, text, foot, results)


if __name__ == "__main__":
    main()
