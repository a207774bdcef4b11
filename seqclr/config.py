"""A run as typed keys: dataclass defaults, then those of the method, then a YAML file, then flags and `key=value`.

The keys are flat: those of the run and those of the method (its dataclass fields) stand side by side. Values are data:
a text is taken as it is written, whatever it looks like.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import inspect
import numbers
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import yaml

from seqclr.data.charset import CASES, UNKNOWN
from seqclr.data.images import MAX_SIDE, Limits
from seqclr.errors import UserError
from seqclr.files import exists
from seqclr.messages import warn

# What version 0.1 called keys and values, and what they are called now
RENAMED_KEYS = {"match": "correspondence", "pages": "generated_images"}
RENAMED_VALUES = {("correspondence", "place"): "index", ("negatives", "place"): "position"}
Part = TypeVar("Part")
LENGTHS = {"steps": "epochs", "epochs": "steps"}
LARGEST = 2**31 - 1  # of a number without a limit of its own: TensorFlow counts in int32
SEED = {"least": 0, "most": 2**32 - 1}
SIDE = {"least": 8, "most": MAX_SIDE}  # of an image, in pixels: of a smaller one the CNN leaves nothing
WIDEST, DEEPEST, MANY = 2**16, 32, 2**17  # units of a layer, layers of a head, classes or prototypes
LONGEST = 2**18  # characters of a YAML file
PATHS = frozenset("data unlabelled validation pretrained init distill perceptual probe".split())  # keys of paths
CONFIGS = Path(__file__).parent / "configs"  # the configurations that have a name: in an installation
if not CONFIGS.is_dir():
    CONFIGS = CONFIGS.parents[1] / "configs"  # in a clone


def key(
    default: Any,
    help: str,
    *,
    least: float | None = None,
    most: float = LARGEST,
    choices: Sequence | Callable[[], Sequence] = (),
    free: bool = False,
) -> Any:
    """A field with its line of help and with what it may be.

    A number has the least and the most that it may be, a text its choices or, where another module has them, a function
    that returns them. free: any text, such as a path. One of these is required, but for what is true or false.
    """
    if not isinstance(default, bool) and least is None and not choices and not free:
        raise TypeError("a key needs its range, its choices, or to be free")
    metadata = {"help": help, "least": least, "most": most, "choices": choices}
    if isinstance(default, list):
        return dataclasses.field(metadata=metadata, default_factory=default.copy)
    return dataclasses.field(metadata=metadata, default=default)


def names_in(*tables: str) -> Callable[[], tuple[str, ...]]:
    """What gives the names in some tables, `module.TABLE`, that are imported when asked for: they need TensorFlow."""

    def names() -> tuple[str, ...]:
        places = (table.rpartition(".") for table in tables)
        return tuple(name for module, _, table in places for name in getattr(importlib.import_module(module), table))

    return names


def check_range(name: str, value: float | None, least: float, most: float = LARGEST) -> None:
    """Raises UserError for a number that the key of this name cannot have, such as NaN; None: no number."""
    if value is not None and not least <= value <= most:
        allowed = f"at least {least}" if value < least else f"{least} to {most}"
        raise UserError(f"{name} {shown(value)}: {allowed}")


def check_keys(settings: Any) -> None:
    """Raises UserError for the first key of a dataclass that is not in its range or none of its choices."""
    for field in dataclasses.fields(settings):
        value, limits = getattr(settings, field.name), {"choices": (), "least": None, "most": LARGEST, **field.metadata}
        choices = limits["choices"]() if callable(limits["choices"]) else limits["choices"]
        if value is not None and choices and value not in choices:
            told = f"'{shown(value)}'" if isinstance(value, str) else shown(value)
            raise UserError(f"{field.name} {told} is not known: {', '.join(map(str, choices))}")
        if limits["least"] is not None:
            check_range(field.name, value, limits["least"], limits["most"])


@dataclasses.dataclass
class RunConfig:
    """What every training has."""

    data: list[str] = key([], "folders of images, tables (CSV, TSV, JSONL), LMDBs or packs", free=True)
    split: str | None = key(None, "rows of this split only; by default all but those of test and validation", free=True)
    seed: int = key(0, "of weights, shuffling and views", **SEED)
    height: int = key(32, "pixels that every image is brought to", **SIDE)
    width: int = key(128, "pixels that every image is brought to", **SIDE)
    resize: str = key(
        "stretch", "stretch fills the width; pad keeps proportions and masks the rest", choices=("stretch", "pad")
    )
    encoder: str = key(
        "tiny",
        "of lines: tiny, small, base; of pictures: resnet9, resnet18, resnet50, alexnet, vit_tiny; "
        "each with _lab: two halves, of lightness and of colour",
        choices=names_in("seqclr.nn.encoders.SIZES", "seqclr.nn.image_encoders.IMAGE_ENCODERS"),
    )
    positions: str = key(
        "convolutional",
        "of lines: none, convolutional, sinusoidal or learned",
        choices=names_in("seqclr.nn.encoders.POSITIONS"),
    )
    dropout: float = key(0.1, "in the Transformer and the CTC head", least=0, most=0.99)
    views: str = key("article", "augmentation: a preset, none, or a YAML file", free=True)
    epochs: int | None = key(None, "passes over the data", least=1, most=10**6)
    steps: int | None = key(None, "batches, instead of epochs", least=1, most=10**8)
    batch_size: int = key(64, "images in a batch, over all devices", least=1)
    accumulate: int = key(
        1, "parts of a batch that take turns in the network, to save memory; batch norm sees a part", least=1
    )
    steps_per_execution: int = key(
        1, "steps that devices take without waiting for Python; more where they are short", least=1, most=10**4
    )
    optimizer: str = key("adamw", "sgd, adamw, lamb or lars", choices=names_in("seqclr.engine.optimizers.OPTIMIZERS"))
    learning_rate: float = key(1e-3, "at the end of the warm-up; a cosine to zero follows", least=0)
    momentum: float = key(0.9, "of sgd and lars", least=0, most=1)
    weight_decay: float = key(
        0.01,
        "of kernels; biases, norms and tables are spared. With sgd it goes through the momentum: 0.001 does there what "
        "0.01 does with adamw at the same rate",
        least=0,
    )
    warmup: float = key(0.05, "part of the steps in which the learning rate rises from zero", least=0, most=1)
    clip: float = key(1.0, "largest norm of the gradient; 0 for none", least=0)
    precision: str = key(
        "auto", "auto, float32, mixed_bfloat16 or mixed_float16", choices=names_in("seqclr.engine.precision.PRECISIONS")
    )
    deterministic: bool = key(False, "bitwise the same weights from the same command, on the same machine")
    processes: int | None = key(
        None, "processes that make the views; by default one for every two cores", least=0, most=1024
    )
    workers: str | None = key(
        None, "host:port of every machine, between commas; by default what TF_CONFIG says", free=True
    )
    worker: int = key(0, "which of the workers this is; the first, 0, is the chief, who alone writes", least=0)
    checkpoint_every: int | None = key(None, "steps between checkpoints; by default at the end of every round", least=1)
    max_bytes: int = key(Limits.max_bytes, "of a file; larger ones are not opened", least=1, most=2**40)
    max_pixels: int = key(Limits.max_pixels, "of an image, or of all frames of an animation", least=1, most=2**40)
    max_frames: int = key(Limits.max_frames, "of an animation, where its frames are read", least=1)
    profile: bool = key(False, "write a profile of steps 11 to 20 into the run, for TensorBoard's profile plugin")
    tensorboard: bool = key(False, "write TensorBoard logs into the run (needs the extra [tensorboard])")


@dataclasses.dataclass
class PretrainConfig(RunConfig):
    """Self-supervised pretraining on images without labels."""

    method: str = key(
        "simclr",
        "as `seqclr methods` lists them: simclr, simsiam, generated_simclr, swav, deep_cluster, ...",
        choices=names_in("seqclr.methods.METHODS"),
    )
    epochs: int | None = key(20, "passes over the data", least=1, most=10**6)
    init: str | None = key(None, "a run whose encoder to start from", free=True)
    probe: str | None = key(
        None, "labelled data: a probe of frozen features chooses the best checkpoint; test rows stay out", free=True
    )
    probe_kind: str | None = key(
        None,
        "ctc, linear or knn; by default ctc for lines and knn for pictures",
        choices=names_in("seqclr.probes.probing.PROBES"),
    )
    probe_every: int | None = key(None, "rounds between probes; by default about ten in the run", least=1)
    probe_labels: int | None = key(None, "probe with only so many labels of every source, drawn by the seed", least=1)
    same_source: int = key(1, "images of one source that come together in a batch; 1 mixes all", least=1)


@dataclasses.dataclass
class FinetuneConfig(RunConfig):
    """Training a recognizer on labelled images."""

    steps: int | None = key(2500, "batches, instead of epochs", least=1, most=10**8)
    learning_rate: float = key(2e-3, "at the end of the warm-up; a cosine to zero follows", least=0)
    pretrained: str | None = key(None, "a pretraining run; without it, from scratch", free=True)
    unlabelled: list[str] = key([], "images to learn from without labels, as data; adds keys of its own", free=True)
    distill: str | None = key(
        None, "a run that teaches what it reads in the unlabelled, in its charset and case", free=True
    )
    labels: int | None = key(None, "use only so many labels of every source, drawn by the seed", least=1)
    label_pattern: str | None = key(None, "labels in file names, as '{text}_{any}.png'", free=True)
    validation: str | None = key(
        None, "labelled data to validate on; by default the validation rows, or else a tenth of the labels", free=True
    )
    charset: str | None = key(
        None,
        "the characters; by default those of the labels, and of the fine-tuned run that is started from",
        free=True,
    )
    case: str = key("keep", "keep, lower or upper: for labels, charset and metrics alike", choices=tuple(CASES))
    unknown: str = key("error", "what a character outside the charset does: error, or drop it", choices=UNKNOWN)
    patience: int | None = key(None, "stop after so many rounds without a better validation", least=1)


def resolve(base: type, method: type | None, values: Sequence[dict[str, Any]] = ()) -> Any:
    """The configuration of a run, as an object with one attribute per key.

    base: PretrainConfig or FinetuneConfig. method: a Method class, whose fields become keys too. values: settings by
    key, a later one over an earlier; as `typed` takes them. Raises UserError for an unknown key, and for a value of a
    wrong type, outside its range or none of its choices.
    """
    own = dataclasses.fields(method) if method else ()
    fields = [(f.name, f.type, dataclasses.field(default=f.default, metadata=f.metadata)) for f in own]
    schema = dataclasses.make_dataclass(base.__name__, fields, bases=(base,), namespace={"__module__": __name__})
    types = {field.name: kind(field) for field in dataclasses.fields(schema)}
    chosen: dict[str, Any] = {}
    for setting in [defaults_of(base, method, values) if method else {}, *values]:
        for name, value in setting.items():
            if name not in types:
                raise UserError(f"the key '{shown(name)}' does not exist: {hint(name, types)}")
            chosen[name] = typed(name, types[name], value)
            if value is not None and name in LENGTHS:  # the one that is given counts
                chosen[LENGTHS[name]] = None
    resolved = schema(**chosen)
    check_keys(resolved)
    return resolved


def defaults_of(base: type, method: type, values: Sequence[dict]) -> dict[str, Any]:
    """The defaults of a method that are not those of the dataclasses; values: they say which encoder there is."""
    images = str(merged(values).get("encoder", base.encoder)) in names_in("seqclr.nn.image_encoders.IMAGE_ENCODERS")()
    return {**(method.image_defaults if images else method.line_defaults), **method.defaults}


def settings(resumed: str | Path | None, file: str | Path | None, keys: dict) -> list[dict]:
    """The values of a run as `resolve` takes them: of the run that is resumed, less the machines that it ran on, of a
    configuration as `load_config` finds it, and keys."""
    saved = None if resumed is None else Path(resumed) / "config.yaml"
    past = load_yaml(saved) if saved is not None and saved.is_file() else {}
    here = {key: value for key, value in past.items() if key not in ("workers", "worker")}
    return [here, {} if file is None else load_config(file), renamed(keys, "the given keys")]


def renamed(values: dict, source: str | Path) -> dict:
    """The values by their present names, with a note where an older name was used; source: where they are from.

    Raises UserError where a key is given by both of its names.
    """
    now: dict[str, Any] = {}
    for name, value in values.items():
        key = RENAMED_KEYS.get(name, name)
        current = RENAMED_VALUES.get((key, value), value) if isinstance(value, str) else value
        if key in now:
            raise UserError(f"{source}: {key} is given twice, also by its older name: leave one out")
        if (key, current) != (name, value):
            _note(f"{source}: {name}={shown(value)} is called {key}={shown(current)} now")
        now[key] = current
    return now


_note = functools.cache(warn)  # once each: a verb looks at its values more than once


def merged(values: Sequence[dict]) -> dict:
    return {key: value for setting in values for key, value in setting.items()}


def kind(field: dataclasses.Field) -> str:
    """The type of a field as it is written, for `typed`; Python gives it so only where annotations are postponed."""
    return field.type if isinstance(field.type, str) else inspect.formatannotation(field.type)


def typed(name: str, kind: str, value: Any) -> Any:
    """The value of a key of a kind, as dataclasses write it: bool, int, float, str, `list[...]` of these, `... | None`.

    A number is read from text, and a single value is a list of one; nothing else is turned into anything. Raises
    UserError for what does not fit.
    """
    plain = kind.removesuffix(" | None")
    if value is None and plain != kind:
        return None
    if plain.startswith("list["):
        items = [] if value is None else value if isinstance(value, list | tuple) else [value]
        return [typed(name, plain[5:-1], item) for item in items]
    wrong = f"{name}={shown(value)} does not fit: "
    if plain == "str":
        if not isinstance(value, str | os.PathLike):
            raise UserError(f"{wrong}it is a text, so put it in quotes")
        if not os.fspath(value) or "\0" in os.fspath(value):
            raise UserError(f"{wrong}no text is empty or has a NUL character")
        return os.fspath(value)
    if plain == "bool":
        if str(value).lower() not in ("true", "false"):
            raise UserError(f"{wrong}true or false")
        return str(value).lower() == "true"
    number = {"int": int, "float": float}[plain]
    taken = (numbers.Integral, str) if number is int else (numbers.Real, str)  # NumPy's too
    try:
        if isinstance(value, bool) or not isinstance(value, taken):
            raise ValueError
        return number(value)
    except (ValueError, OverflowError):
        raise UserError(f"{wrong}a {'whole ' if number is int else ''}number") from None


def shown(value: Any) -> str:
    """A value in a sentence: not long."""
    try:
        text = str(value)
    except ValueError:  # Python writes no number of thousands of digits
        text = "..."
    return text if len(text) <= 120 else f"{text[:117]}..."


def hint(name: str, known: Iterable[str]) -> str:
    """What somebody may have meant by an unknown name."""
    close = difflib.get_close_matches(str(name), list(known), 1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"


def absolute(name: str, value: Any) -> Any:
    """The value of a key, made absolute where it is a path: a saved configuration holds in any working folder."""
    if isinstance(value, list):
        return [absolute(name, item) for item in value]
    return os.path.abspath(value) if is_path(name, value) else value


def is_path(name: str, value: Any) -> bool:
    """Whether the value of a key is a path."""
    return isinstance(value, str) and (name in PATHS or (name.endswith("views") and value.endswith(".yaml")))


def check_unchanged(name: str, now: Any, before: Any, folder: str | Path) -> None:
    """Raises UserError where the key of a run that is resumed is not what it was."""
    if now != before:
        raise UserError(
            f"{name} {shown(now)}: {folder} was begun with {shown(before)}, and --resume goes on with the same: leave "
            "it out, or take another --output"
        )


class _Loader(yaml.SafeLoader):
    """Data alone: no tags but YAML's own, no aliases, of which a few make millions of values, and no key twice."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not taken", self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key is there twice", node.start_mark)
        return mapping


class _Dumper(yaml.SafeDumper):
    """What `_Loader` reads as it was."""


for each in (_Loader, _Dumper):  # 1e5 is a number, as in YAML 1.2; to 1.1 it is one only as 1.0e+5
    number = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
    each.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+0123456789"))


def read_yaml(file: str | Path) -> Any:
    """What a YAML file holds: lists, mappings, texts, numbers. Raises UserError where it cannot be read."""
    try:
        with open(file, encoding="utf-8-sig") as stream:
            text = stream.read(LONGEST + 1)
    except OSError as error:
        raise UserError(f"{file} cannot be opened ({error.strerror}): check the path") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not a YAML file, as it is not UTF-8: save it as that") from None
    if len(text) > LONGEST:
        raise UserError(f"{file} has more than {LONGEST} characters: give a list of keys and values")
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UserError(f"{file} is not a YAML file that can be taken ({line}{shown(error.problem)})") from None
    except RecursionError:
        raise UserError(f"{file} is nested too deeply: give a list of keys and values") from None
    except Exception as error:  # of its constructors, of many kinds
        raise UserError(f"{file} is not a YAML file that can be taken ({shown(str(error).splitlines()[0])})") from None


def load_yaml(file: str | Path) -> dict:
    """The keys and values of a YAML file. Raises UserError where it cannot be read or is something else."""
    values = read_yaml(file)
    if not isinstance(values, dict):
        raise UserError(f"{file} is not a list of 'key: value' lines")
    for name in values:
        if not isinstance(name, str):
            raise UserError(f"{file}: the key '{shown(name)}' does not exist, as keys are words")
    return renamed(values, file)


def named_configs() -> dict[str, Path]:
    """The files of the configurations that have a name, by name."""
    return {file.stem: file for file in sorted(CONFIGS.glob("*.yaml"))}


def load_config(name: str | Path) -> dict:
    """The keys and values of a configuration: by its name, or else of a YAML file. Raises UserError as `load_yaml`."""
    known = named_configs()
    if str(name) not in known and not exists(name):
        raise UserError(f"config '{shown(name)}' is neither a file nor one of {', '.join(known)}")
    return load_yaml(known.get(str(name), name))


def save(config: Any, stream: IO[str]) -> None:
    """Writes every key of a resolved configuration as YAML."""
    yaml.dump(dataclasses.asdict(config), stream, _Dumper, allow_unicode=True, sort_keys=False)


def fields_of(cls: type, config: Any) -> dict[str, Any]:
    """The values that a configuration has for the fields of a method class."""
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(cls)}


def part(cls: type[Part], config: Any) -> Part:
    """The keys of a configuration that a dataclass has as fields, as an object of that class."""
    return cls(**fields_of(cls, config))
