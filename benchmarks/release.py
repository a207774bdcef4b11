"""Trains the reader of the package on generated images alone, and packs it with its card.

    python benchmarks/release.py --output runs/release --fonts FOLDER

Pretraining with configs/reader.yaml (further `key=value` words are passed on) on images of random appearance, drawn
with the fonts of a folder, .ttf and .otf at any depth. An interrupted training continues with the same command. The
last checkpoint is measured on generated images that were not trained on, and written to OUTPUT/captcha in half
precision: config.yaml, charset.json, decision.json, checkpoints/best.npz, README.md and, as ONNX, model.onnx and
reader.json. To release it, copy that folder to seqclr/readers/. With `--weights FILE` it is the reader of the package
that release_torch.py trained further on a GPU.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import released_onnx
import yaml
from commands import circumstances, seqclr

from seqclr import files
from seqclr.data.charset import Charset
from seqclr.data.discovery import find
from seqclr.decision import Decision, choose_threshold
from seqclr.engine import checkpoints
from seqclr.engine.run import Run
from seqclr.recognition.recognizer import Recognizer
from seqclr.synthesis.styles import load_style, style_names

READER = Path(__file__).parents[1] / "seqclr" / "readers" / "captcha"
BEST = Path("checkpoints") / "best.npz"
TEST_IMAGES = 500  # of each preset style
VALIDATION_IMAGES = 200  # of each preset style, others than those of the test
OF_THE_MACHINE = ("data", "fonts", "processes", "workers", "worker", "checkpoint_every")  # keys that are not released

CARD = """# captcha: a reader of short texts in images

Text recognition in images of login pages, forms and meters: {characters}. Upper and lower case are one.
Encoder `{encoder}` ({parameters:.2f} million parameters with the CTC head), images of {height} x {width}.

- **Trained on** generated images alone, of random fonts, colours, backgrounds and clutter, a share of {sums} of them
  sums such as 3+16=?. {fonts} font files, drawn by `seqclr`. No image of any site.
- **Trained by** `python benchmarks/release.py --fonts FOLDER`: {steps} steps of {batch} views, of
  {distinct:,} images{further}.
- **Use it** for sites where you are authorised to: `seqclr adapt --model captcha --data IMAGES` without labels or with
  few, `seqclr predict --model captcha --charset ... --length ... IMAGES`, `seqclr finetune --pretrained captcha`.
- **It fails** on scripts other than Latin letters and digits, on texts of more than one line, on case, and without
  adaptation on letters that touch or are bent strongly. docs/measured/new-sites.md has its figures on real sites, the
  lowest where characters are warped and overlap, or are cut off at the edge.

Generated images that it was not trained on, with the known characters and lengths of each style:

{table}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--fonts", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="file of release_torch.py: release these, train no more")
    args, keys = parser.parse_known_args()
    output = args.output
    if args.weights:
        pack_further(args.weights, output / "captcha")
    else:
        pack(trained(output, args.fonts, keys), output / "captcha")
    decide(output)
    released_onnx.write(output / "captcha")
    rows = measure(output)
    (output / "captcha" / "README.md").write_text(card(output / "captcha", args.fonts, rows), encoding="utf-8")
    print(output / "captcha")


def trained(output: Path, fonts: Path, keys: list[str]) -> Run:
    """The run that ends with the last step."""
    run = output / "run"
    if not (output / "size" / "labels.csv").is_file():  # the images of the run give only the size
        seqclr("synth", "--output", output / "size", "--count", 960)
    resume = ["--resume"] if (run / "config.yaml").is_file() else []
    seqclr("pretrain", "--config", "reader", "--data", output / "size", "--output", run, f"fonts={fonts}",
           *keys, *resume)  # fmt: skip
    return Run.open(run)


def pack(source: Run, folder: Path) -> None:
    """Writes what is needed of a run to predict and to start from."""
    arrays, state = checkpoints.load(checkpoints.steps(source.checkpoints)[-1])
    save(folder, arrays, {"step": state["step"], "loader": {}, "callbacks": {}, "facts": source.facts(), "further": []})
    with files.atomic_write(folder / "config.yaml") as stream:
        values = {key: value for key, value in vars(source.config()).items() if key not in OF_THE_MACHINE}
        yaml.safe_dump(values, stream, sort_keys=False)
    Charset.load(source.charset_file).save(folder / "charset.json")


def pack_further(weights: Path, folder: Path) -> None:
    """Writes the reader of the package with other weights, and with the figures of their training."""
    _, state = checkpoints.load(READER / BEST)
    figures = json.loads(weights.with_name("training.json").read_text())
    save(folder, dict(np.load(weights)), {**state, "further": [*state.get("further", []), figures]})
    for name in ("config.yaml", "charset.json"):
        shutil.copy(READER / name, folder / name)


def save(folder: Path, arrays: dict[str, np.ndarray], state: dict) -> None:
    """Writes the weights of encoder and head in half precision; the states of dropout are integers."""
    kept = {name: array.astype(np.float16) if array.dtype == np.float32 else array
            for name, array in arrays.items() if name.startswith(("encoder/", "head/"))}  # fmt: skip
    (folder / BEST).parent.mkdir(parents=True, exist_ok=True)
    checkpoints.save(folder / BEST, kept, state)


def decide(output: Path) -> None:
    """Chooses the threshold of confidence on generated images that are neither trained on nor tested on."""
    reader, samples = Recognizer.load(output / "captcha"), []
    for style in style_names():
        folder = output / "validation" / style
        if not (folder / "labels.csv").is_file():
            seqclr("synth", "--output", folder, "--count", VALIDATION_IMAGES, "--style", style, "--seed", 2)
        samples += find([folder])
    texts, confidences = zip(*reader.predict_samples(samples))
    correct = [reader.charset.normalize(sample.text) == text for sample, text in zip(samples, texts)]
    decision = Decision(choose_threshold(confidences, correct), images=len(samples), labelled=len(samples))
    decision.save(output / "captcha" / "decision.json")


def measure(output: Path) -> list[tuple[str, dict]]:
    """Metrics by style of generated images."""
    rows = []
    for style in style_names():
        folder, figures = output / "test" / style, output / f"{style}.json"
        if not (folder / "labels.csv").is_file():
            seqclr("synth", "--output", folder, "--count", TEST_IMAGES, "--style", style, "--seed", 1)
        look = load_style(style)
        seqclr("evaluate", "--model", output / "captcha", "--data", folder, "--json", figures, "--charset",
             look.characters, "--length", "{}:{}".format(*look.length))  # fmt: skip
        rows.append((style, json.loads(figures.read_text())))
    return rows


def card(folder: Path, fonts: Path, rows: list[tuple[str, dict]]) -> str:
    config = yaml.safe_load((folder / "config.yaml").read_text())
    arrays, state = checkpoints.load(folder / BEST)
    further = ["{steps:,} steps of {batch_size:,} views, of {distinct:,} images".format(**figures)
               for figures in state["further"]]  # fmt: skip
    table = ["| style | edit-distance accuracy | exact match |", "|---|---|---|"]
    table += [f"| {name} | {row['edit_distance_accuracy']:.3f} | {row['exact_match']:.3f} |" for name, row in rows]
    return CARD.format(
        **{name: config[name] for name in ("encoder", "height", "width", "sums")},
        characters=Charset.load(folder / "charset.json").characters,
        parameters=sum(array.size for array in arrays.values()) / 1e6,
        steps=f"{state['step']:,}", batch=config["batch_size"] * config["generated_images"],
        distinct=config["distinct_images"],
        further=", then `python benchmarks/release_torch.py`:\n  " + ", then\n  ".join(further) if further else "",
        fonts=len([path for path in fonts.rglob("*") if path.suffix.lower() in (".ttf", ".otf")]),
        table="\n".join(table),
    ) + f"\n{circumstances()}\n"  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
