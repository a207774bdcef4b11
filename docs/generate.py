"""A hook of MkDocs that makes pages of the code: verbs, methods and keys, and the pictures of all pages.

Help texts come from the parsers, facts and defaults from the registry of methods and the configuration. `methods.yaml`
beside this file has the formula of every method, `verbs.yaml` an example of every verb. Pictures are drawn by the
project's own commands from `data_samples/` and from two photographs that scikit-learn ships, once for each process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import io
import os
import tempfile
import wave
from pathlib import Path

import numpy as np
import yaml
from latex2mathml.converter import convert
from mkdocs.structure.files import File
from PIL import Image
from sklearn.datasets import load_sample_images

DOCS = Path(__file__).parent
SAMPLES = DOCS.parent / "data_samples" / "images"
COLUMNS = "84"  # of the help texts
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "2")

from seqclr.cli import VERBS, Parser  # noqa: E402
from seqclr.cli.process import import_tensorflow, set_up  # noqa: E402

set_up()
import_tensorflow()

from seqclr import config as configuration  # noqa: E402
from seqclr.methods import METHODS, table  # noqa: E402
from seqclr.methods.base import Method  # noqa: E402
from seqclr.methods.combination import Combination  # noqa: E402
from seqclr.methods.text.adaptation import Adaptation  # noqa: E402
from seqclr.methods.text.ctc import CTC  # noqa: E402
from seqclr.methods.text.distillation import Distillation  # noqa: E402
from seqclr.methods.text.self_training import SelfTraining, Semisupervised  # noqa: E402
from seqclr.pretraining.pretrain import configure  # noqa: E402
from seqclr.pretraining.task import show_task  # noqa: E402
from seqclr.synthesis.drawing import draw  # noqa: E402
from seqclr.synthesis.styles import load_style, style_names  # noqa: E402
from seqclr.visualization.sheet import sheet  # noqa: E402
from seqclr.visualization.views import show_views  # noqa: E402

PHOTOGRAPHERS = (
    " Photographs: china.jpg by danielbuechele and flower.jpg by vultilion, as scikit-learn ships them "
    "([CC BY 2.0](https://creativecommons.org/licenses/by/2.0/))."
)
FAMILIES = {
    "contrastive": "Contrastive",
    "distillation": "Distillation (no negatives)",
    "modalities": "Distillation between modalities",
    "redundancy": "Redundancy reduction",
    "clustering": "Clustering",
    "pretext": "Pretext tasks",
    "reconstruction": "Reconstruction",
    "text": "Text",
    "translation": "Image translation",
}


def on_config(config):
    """Puts the generated pages into the navigation."""
    reference = next(section["Reference"] for section in config.nav if "Reference" in section)
    for item in reference:
        if isinstance(item, dict) and "Commands" in item:
            item["Commands"] = ["reference/verbs/index.md", *({verb: f"reference/verbs/{verb}.md"} for verb in VERBS)]
        if isinstance(item, dict) and "Methods" in item:
            families = [
                {title: [{name: f"reference/methods/{name}.md"} for name in of_family(family)]}
                for family, title in FAMILIES.items()
            ]
            item["Methods"] = ["reference/methods/index.md", *families]
    return config


def on_files(files, config):
    """Adds the generated pages and pictures."""
    pages = {"reference/keys.md": keys_page(), "reference/verbs/index.md": verbs_page()}
    pages |= {f"reference/verbs/{verb}.md": verb_page(verb) for verb in VERBS}
    pages |= {f"reference/methods/{name}.md": method_page(name) for name in METHODS}
    pages["reference/methods/index.md"] = methods_page()
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    for picture in sorted(pictures().glob("*.png")):
        files.append(File.generated(config, f"pictures/{picture.name}", abs_src_path=str(picture)))
    return files


# Verbs


@functools.cache
def examples() -> dict[str, dict]:
    return yaml.safe_load((DOCS / "verbs.yaml").read_text(encoding="utf-8"))


def verbs_page() -> str:
    rows = [f"| [`{verb}`]({verb}.md) | {sentence(run.__doc__)} |" for verb, run in VERBS.items()]
    intro = (DOCS / "reference" / "_verbs.md").read_text(encoding="utf-8")
    return "\n".join([intro, "| command | what it does |", "|---|---|", *rows, ""])


def verb_page(verb: str) -> str:
    example = examples()[verb]
    return "\n".join(
        [
            f"# `seqclr {verb}`\n",
            f"{sentence(VERBS[verb].__doc__)} {example.get('text', '')}\n",
            f"```shell\n{example['example'].strip()}\n```\n",
            f"`python tools/{verb.replace('-', '_')}.py` does the same from a clone.\n",
            "## `--help`\n",
            f"```text\n{help_text(verb)}\n```\n",
        ]
    )


def help_text(verb: str) -> str:
    """What `seqclr VERB --help` prints."""
    printed, before = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = COLUMNS
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            VERBS[verb](Parser(prog=f"seqclr {verb}", description=VERBS[verb].__doc__), ["--help"])
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    return printed.getvalue().strip()


# Keys


def keys_page() -> str:
    page = [(DOCS / "reference" / "_keys.md").read_text(encoding="utf-8")]
    for title, cls in (
        ("Of every training", configuration.RunConfig),
        ("Of `pretrain`", configuration.PretrainConfig),
        ("Of `evolve`, and those of `pretrain`", configuration.EvolveConfig),
        ("Of `pretrain` with several methods", Combination),
        ("Of `finetune`", configuration.FinetuneConfig),
        ("Of `finetune`, its method", CTC),
        ("Of `finetune` with `unlabelled` or `distill`", Semisupervised),
        ("Of `finetune` with `unlabelled`", SelfTraining),
        ("Of `finetune` with `distill`", Distillation),
        ("Of `adapt`", configuration.AdaptConfig),
        ("Of `adapt`, its method", Adaptation),
    ):
        base = cls.__mro__[1]
        inherited = {field.name: field for field in dataclasses.fields(base)} if dataclasses.is_dataclass(base) else {}
        fields = [field for field in dataclasses.fields(cls) if not same(field, inherited.get(field.name))]
        page += [f"## {title}\n", keys_table(fields), ""]
    old = [f"| `{old}` | `{new}` |" for old, new in configuration.RENAMED_KEYS.items()]
    old += [f"| `{key}={old}` | `{key}={new}` |" for (key, old), new in configuration.RENAMED_VALUES.items()]
    page += ["## Renamed\n", "Older configurations still load; a note names what changed.\n"]
    return "\n".join([*page, "| in version 0.1 | now |", "|---|---|", *old, ""])


def same(field: dataclasses.Field, other: dataclasses.Field | None) -> bool:
    return other is not None and (field.default, field.metadata) == (other.default, other.metadata)


def keys_table(fields) -> str:
    rows = []
    for field in fields:
        default = [] if field.default is dataclasses.MISSING else field.default
        shown = "" if default in (None, []) else f"`{default}`"
        rows.append(f"| `{field.name}` | {shown} | {allowed(field)} | {cell(field.metadata.get('help', ''))} |")
    return "\n".join(["| key | default | values | meaning |", "|---|---|---|---|", *rows])


def allowed(field: dataclasses.Field) -> str:
    """The choices or the range of a key."""
    choices = field.metadata.get("choices") or ()
    choices = choices() if callable(choices) else choices
    if choices:
        return (
            ", ".join(f"`{choice}`" for choice in choices) if len(choices) <= 20 else "see [methods](methods/index.md)"
        )
    if configuration.kind(field) == "bool":
        return "`true`, `false`"
    if field.metadata.get("least") is None:
        return "text"
    least, most = field.metadata["least"], field.metadata["most"]
    return f"≥ {least}" if most == configuration.LARGEST else f"{least} to {most}"


# Methods


@functools.cache
def formulas() -> dict[str, dict]:
    return yaml.safe_load((DOCS / "methods.yaml").read_text(encoding="utf-8"))


def of_family(family: str) -> list[str]:
    return [name for name, cls in METHODS.items() if cls.facts.family == family]


def methods_page() -> str:
    page = [(DOCS / "reference" / "_methods.md").read_text(encoding="utf-8")]
    for family, title in FAMILIES.items():
        page += [f"## {title}\n", "| method | paper | an example is | in one sentence |", "|---|---|---|---|"]
        for name in of_family(family):
            cls = METHODS[name]
            example = table.words(cls.transform.__name__)
            cells = [f"[`{name}`]({name}.md)", table.link(cls.facts.paper), example, formulas()[name]["text"]]
            page.append(f"| {' | '.join(cells)} |")
        page.append("")
    return "\n".join([*page, "## All facts and defaults\n", "`seqclr methods` prints this table.\n", table.table(), ""])


def method_page(name: str) -> str:
    cls, facts = METHODS[name], formulas()[name]
    kind = "CLIPS" if needs_clips(name) else "PHOTOS" if needs_photographs(name) else "LINES"
    keys = "".join(f" {key}={value}" for key, value in settings_of_picture(name).items())
    page = [
        f"# `{name}`\n",
        f"{facts['text']}\n",
        f"Paper: {table.link(cls.facts.paper) or 'none'}. Code: `{cls.__module__.replace('.', '/')}.py`.\n",
        f"```shell\nseqclr pretrain --method {name} --data {kind} --output runs/{name}{keys}\n```\n",
        "## Loss\n",
        convert(facts["formula"], display="block") + "\n",
        f"{facts['where']}\n",
        "## What the network sees\n",
        f"![Examples of {name}](../../pictures/{picture_of(name)}.png)\n",
        f"`seqclr show-task --method {name} --data {kind} --output task.png{keys}` draws this from your own images."
        f"{PHOTOGRAPHERS if needs_photographs(name) else ''}\n",
        "## Notes\n",
        inspect.getdoc(cls) + "\n",
        "## Facts\n",
        facts_table(name),
        "\n## Keys\n",
        keys_table(dataclasses.fields(cls)).replace("](methods/", "]("),
        "",
        defaults_by_encoder(name),
        "## Measured\n",
        measured(name),
    ]
    return "\n".join(page)


def facts_table(name: str) -> str:
    cls = METHODS[name]
    facts = cls.facts
    shown = {
        "an example is": table.words(cls.transform.__name__),
        "negatives": facts.negatives,
        "EMA network": facts.ema_network,
        "stores": facts.stores,
        "needs an encoder of lines": facts.needs_lines,
        "needs an encoder of images": facts.needs_images,
        "needs an encoder of two halves (`_lab`)": facts.needs_halves,
        "cannot `accumulate`": facts.needs_whole_batch,
    }
    rows = [f"| {title} | {value} |" for title, value in shown.items() if value]
    return "\n".join(["| fact | |", "|---|---|", *rows])


def defaults_by_encoder(name: str) -> str:
    """What a method changes in the defaults, with an encoder of lines and with one of images."""
    text, facts = [], METHODS[name].facts
    for kind, encoder, unfit in (("lines", "tiny", facts.needs_images), ("images", "resnet9", facts.needs_lines)):
        values = configuration.defaults_of(configuration.PretrainConfig, METHODS[name], [{"encoder": encoder}])
        if values and not unfit:
            words = " ".join(f"{key}={value}" for key, value in values.items())
            text.append(f"With an encoder of {kind}, the defaults are `{words}`.\n")
    return "\n".join(text)


def measured(name: str) -> str:
    """The rows of this method in the tables of measured/methods.md."""
    found, title = [], ""
    head: list[str] = []
    lines = (DOCS / "measured" / "methods.md").read_text(encoding="utf-8").splitlines()
    for line, following in zip(lines, [*lines[1:], ""]):
        if line.startswith("## "):
            title = line.removeprefix("## ")
        elif following.startswith("|---"):
            head = [value.strip() for value in line.split("|")[1:-1]]
        elif line.startswith(f"| `{name}`"):
            values = [value.strip() for value in line.split("|")[1:-1]]
            facts = "; ".join(f"{key} {value}" for key, value in zip(head[1:], values[1:]) if value)
            conditions = values[0].removeprefix(f"`{name}`").strip(", ")
            found.append(f"- {title}{f' ({conditions})' if conditions else ''}: {facts}.")
    link = "See [methods side by side](../../measured/methods.md) for the conditions."
    if not found:
        return f"{formulas()[name].get('measured', 'No figures yet.')}\n"
    return "\n".join([*found, "", link, ""])


# Pictures


@functools.cache
def pictures() -> Path:
    """A folder with all pictures, by the name of the method or of the page that shows them."""
    folder = Path(tempfile.mkdtemp(prefix="seqclr-docs-"))
    photographs(folder / "photographs")
    clips(folder / "clips")
    for preset in ("article", "strong", "roaming"):
        show_views([str(SAMPLES)], preset, str(folder / f"views_{preset}.png"), count=4, copies=5)
    show_views([str(folder / "photographs")], "images", str(folder / "views_images.png"), 64, 64, count=4, copies=6)
    for name in sorted({picture_of(name) for name in METHODS}):
        data = folder / ("clips" if needs_clips(name) else "photographs") if needs_photographs(name) else SAMPLES
        keys = {"method": name, "data": [str(data)]}
        show_task(configure([keys, settings_of_picture(name)]), str(folder / f"{name}.png"), 4)
    return folder


def captchas(file: Path) -> None:
    """Draws three generated images of every style, at the size that the network sees."""
    columns: dict[str, list] = {"style": [], "three images": [], " ": [], "  ": []}
    for style in style_names():
        columns["style"].append(style)
        for number, title in enumerate(list(columns)[1:]):
            image, _ = draw(load_style(style), np.random.default_rng(number))
            columns[title].append(np.asarray(image.convert("RGB").resize((128, 32), Image.Resampling.LANCZOS)))
    sheet(columns, file)


def photographs(folder: Path) -> None:
    """Parts of the two photographs that scikit-learn ships (CC BY 2.0), as natural images."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, photograph in zip(("china", "flower"), load_sample_images().images):
        small = Image.fromarray(photograph).resize((320, 214))
        for number in range(8):
            x, y = rng.integers(0, 320 - 96), rng.integers(0, 214 - 96)
            small.crop((x, y, x + 96, y + 96)).save(folder / f"{name}{number}.png")


def clips(folder: Path) -> None:
    """Windows that move over the two photographs, as folders of frames, with a tone for each."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    time = np.arange(8000) / 8000
    for number, (name, photograph) in enumerate(zip(("china", "flower"), load_sample_images().images)):
        small = Image.fromarray(photograph).resize((320, 214))
        (folder / name).mkdir()
        for i in range(8):
            x, y = 60 + 6 * i, 40 + (3 - 6 * number) * i // 2
            small.crop((x, y, x + 96, y + 96)).save(folder / name / f"{i}.png")
        tone = np.sin(2 * np.pi * (300 + 900 * number) * time * (1 + time / 2)) + 0.05 * rng.normal(size=len(time))
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", None))
            file.writeframes(np.rint(10000 * tone).astype("<i2").tobytes())


def picture_of(name: str) -> str:
    """The method whose picture shows what this one sees: methods that see views alone share them."""
    cls = METHODS[name]
    if cls.preview_inputs is not Method.preview_inputs:
        return name

    def sees(other: str):
        cls = METHODS[other]
        return cls.preview_inputs, cls.transform, cls.line_defaults, cls.defaults.get("views"), needs_photographs(other)

    return next(other for other in METHODS if sees(other) == sees(name))


def needs_clips(name: str) -> bool:
    """Whether a method takes sequences, and no lines in their place."""
    return METHODS[name].animated and bool(METHODS[name].facts.needs_images)


def needs_photographs(name: str) -> bool:
    return bool(METHODS[name].facts.needs_images) or settings_of_picture(name).get("encoder") == "vit_tiny"


def settings_of_picture(name: str) -> dict:
    """The keys that a method needs beside the defaults: those of an encoder that suits it."""
    facts = METHODS[name].facts
    if name == "mae":
        return {"encoder": "vit_tiny", "height": 64, "width": 64}
    if facts.needs_images:
        return {"encoder": "resnet9_lab" if facts.needs_halves else "resnet9", "height": 64, "width": 64}
    return {"encoder": "tiny_lab"} if facts.needs_halves else {}


# Words


def sentence(text: str | None) -> str:
    """A docstring of a verb as a sentence."""
    text = " ".join((text or "").split())
    return text[:1].upper() + text[1:].removesuffix(".") + "."


def cell(text: str) -> str:
    """A text that stands in a table."""
    return text.replace("|", "\\|").replace("{", "&#123;")


if __name__ == "__main__":
    captchas(DOCS / "captchas.png")  # of the README, so it is committed
