"""What the feedback of logins makes of a reader that started with 20 labels, without a label by hand.

    pip install ".[bench,serve]"
    python benchmarks/feedback.py --data DATA --output runs/feedback --site cap_thsr

DATA holds a folder per site with `labels.csv` (file,text,split). The first `--start` train rows, 20 of them with
labels, are what the first reader is adapted to; the others are the images of the login form of examples/login_page.py.
The export of the reader is served with `--keep`, logs in until `--logins` have succeeded, and reports every outcome.
Then `improve` trains the next round. Beside it the first reader is adapted to the same images without the feedback
(`control`), and with the accepted texts but not the refused ones (`accepted`). Exact match is that on the test rows,
which nothing else has seen.

Finished parts are kept: the same command continues. Writes table.md and results.json.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import secrets
import shutil
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from commands import seqclr as verb
from commands import write
from new_sites import known

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
import login
from login_page import LoginPage

import seqclr
from seqclr.data.discovery import find
from seqclr.serve.options import Options
from seqclr.serve.server import Server, bound, load_service

LABELS = 20


class Form:
    """The login form, filled in over HTTP."""

    def __init__(self, url: str):
        self.url, self.visitor = url, urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def image(self) -> bytes:
        with self.visitor.open(f"{self.url}captcha") as response:
            return response.read()

    def refresh(self) -> None:
        pass  # every load is another image

    def submit(self, code: str) -> str:
        fields = urllib.parse.urlencode({"user": "demo", "password": "demo", "code": code})
        with self.visitor.open(self.url, fields.encode()) as response:
            return response.read().decode()


def split(site: Path, folder: Path, start: int) -> list[tuple[Path, str]]:
    """Writes the folder of the first images, and returns the files and texts of the others."""
    train = [sample for sample in find([site]) if sample.split == "train"]
    (folder / "labelled").mkdir(parents=True, exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    for number, sample in enumerate(train[:start]):
        shutil.copy(sample.file, folder / ("labelled" if number < LABELS else "images"))
    with open(folder / "labelled" / "labels.csv", "w", newline="", encoding="utf-8") as stream:
        rows = [(Path(sample.file).name, sample.text) for sample in train[:LABELS]]
        csv.writer(stream).writerows([("file", "text"), *rows])
    return [(Path(sample.file), sample.text) for sample in train[start:]]


@contextlib.contextmanager
def serving(export: Path, kept: Path) -> Iterator[str]:
    """The address of a server of the export, which keeps the images with their outcome."""
    options = Options(port=0, keep=str(kept))
    with contextlib.closing(bound(options.host, options.port)) as listener:
        server = Server(load_service({"site": str(export)}, options, seqclr.load), options)
        thread = threading.Thread(target=server.run, args=[[listener]])
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield f"http://{options.host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def log_in(export: Path, images: list[tuple[Path, str]], kept: Path, logins: int) -> dict[str, int]:
    """Logs in until so many logins have succeeded."""
    count = dict.fromkeys(("images", "submits", "logins", "given_up"), 0)

    def predict(image: bytes) -> login.Prediction:
        count["images"] += 1
        return login.ask(server, image)

    def report(number: int, accepted: bool) -> None:
        count["submits"] += 1
        login.tell(server, number, accepted)

    def draw() -> tuple[bytes, str]:
        file, text = secrets.choice(images)
        return file.read_bytes(), text

    with LoginPage(draw, {"demo": "demo"}) as page, serving(export, kept) as server:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        while count["logins"] < logins:
            succeeded = login.log_in(Form(page.url), predict, report)
            count["logins" if succeeded else "given_up"] += 1
            page.wrong.clear()  # by hand, where it gave up
        page.shutdown()
    return count


def exact_match(run: Path, site: Path, file: Path) -> float:
    if not file.is_file():
        verb("evaluate", "--model", run, "--data", site, "--split", "test", "--json", file)
    return json.loads(file.read_text())["exact_match"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--site", default="cap_thsr")
    parser.add_argument("--start", type=int, default=500, help="images that the first reader is adapted to")
    parser.add_argument("--logins", type=int, default=500)
    parser.add_argument("--steps", type=int, default=600, help="of each training")
    args = parser.parse_args()
    site, out = args.data / args.site, args.output / args.site
    images = split(site, out / "start", args.start)
    names = ("first", "export", "kept", "round", "control", "accepted")
    first, export, kept, second, control, accepted = (out / name for name in names)
    start = [out / "start" / "labelled", out / "start" / "images"]

    def resumed(folder: Path) -> list[str]:
        return ["--resume"] if folder.is_dir() else []

    if not (out / "logins.json").is_file():
        verb("adapt", "--data", *start, "--output", first, "--steps", args.steps, *known(site), *resumed(first))
        if not export.is_dir():
            verb("export", "--model", first, "--output", export, "--format", "onnx")
        shutil.rmtree(kept, ignore_errors=True)
        (out / "logins.json").write_text(json.dumps(log_in(export, images, kept, args.logins)))
    if not (out / "improve.json").is_file():
        words = ["--data", *start, "--export", export, "--steps", args.steps, "--json", out / "improve.json"]
        verb("improve", "--model", first, "--feedback", kept / "site", "--output", second, *words, *resumed(second))
    if not (out / "control.json").is_file():
        (control / "images").mkdir(parents=True, exist_ok=True)
        for file in (second / "data").rglob("*.*"):
            if file.suffix != ".csv":
                shutil.copy(file, control / "images")
    more = {control: [control / "images"], accepted: [second / "data", "refused=0"]}
    for arm, words in more.items():
        if not (out / f"{arm.name}.json").is_file():
            words = ["--data", *start, *words, "--model", first, "--steps", args.steps, *known(site)]
            verb("adapt", *words, "--output", arm / "run", *resumed(arm / "run"))
    results = json.loads((out / "logins.json").read_text())
    results |= {"comparison": json.loads((out / "improve.json").read_text())}
    runs = {"first": first, "control": control / "run", "accepted": accepted / "run", "feedback": second / "run"}
    results |= {name: exact_match(run, site, out / f"{name}.json") for name, run in runs.items()}
    names = ("images", "submits", "logins", *runs)
    cells = [f"{results[name]:.3f}" if name in runs else str(results[name]) for name in names]
    lines = ["| site | " + " | ".join(names) + " |", "|" + "---|" * (1 + len(names))]
    lines.append(f"| {args.site} | {' | '.join(cells)} |")
    foot = f"Exact match on the test rows; {LABELS} labels at first, {args.steps} steps a training, one seed."
    write(out, "\n".join(lines), foot, results)
    print((out / "table.md").read_text())


if __name__ == "__main__":
    main()
