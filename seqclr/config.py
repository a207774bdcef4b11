"""The typed configuration of a run: defaults of the dataclasses and the method, a YAML file, flags and `key=value`.

The keys of the run and those of the method (its dataclass fields) are in one flat namespace. Texts are taken literally:
nothing in them is interpolated.
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
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import yaml

from seqclr import readers
from seqclr.data.charset import CASES, UNKNOWN
from seqclr.data.images import MAX_SIDE, Limits
from seqclr.errors import UserError
from seqclr.files import exists
from seqclr.messages import warn

# Keys and values of version 0.1, and their present names
RENAMED_KEYS = {"match": "correspondence", "pages": "generated_images", "drawing": "reconstruction"}
RENAMED_VALUES = {("correspondence", "place"): "index", ("negatives", "place"): "position"}
Part = TypeVar("Part")
LENGTHS = {"steps": "epochs", "epochs": "steps"}
# keys that only the runs of a verb have; `method` has evolve too
VERB_OF = {"generations": "evolve", "method": "pretrain", "pretrained": "finetune", "model": "adapt"}
LARGEST = 2**31 - 1  # default upper limit of numbers: TensorFlow counts in int32
SEED = {"least": 0, "most": 2**32 - 1}
SIDE = {"least": 8, "most": MAX_SIDE}  # pixels of an image's side: the CNN reduces a smaller one to nothing
WIDEST, DEEPEST, MANY = 2**16, 32, 2**17  # units of a layer, layers of a head, classes or prototypes
LONGEST = 2**18  # characters of a YAML file
PATHS = frozenset("data unlabelled validation pretrained init distill perceptual probe model".split())  # keys of paths
CONFIGS = Path(__file__).parent / "configs"  # named configurations: in an installation
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
    """A dataclass field with its help text and its allowed values.

    least, most: the range of a number. choices: the values of a text, or a function that returns them, where another
    module defines them. free: any text, such as a path. All but booleans need one of these; else TypeError.
    """
    if not isinstance(default, bool) and least is None and not choices and not free:
        raise TypeError("a key needs its range, its choices, or to be free")
    metadata = {"help": help, "least": least, "most": most, "choices": choices}
    if isinstance(default, list):
        return dataclasses.field(metadata=metadata, default_factory=default.copy)
    return dataclasses.field(metadata=metadata, default=default)


def names_in(*tables: str) -> Callable[[], tuple[str, ...]]:
    """A function that returns the names in some tables, `module.TABLE`, imported on call, as they need TensorFlow."""

    def names() -> tuple[str, ...]:
        paths = (table.rpartition(".") for table in tables)
        return tuple(name for module, _, table in paths for name in getattr(importlib.import_module(module), table))

    return names


def check_range(name: str, value: float | None, least: float, most: float = LARGEST) -> None:
    """Raises UserError for a value outside the range of the key `name`, such as NaN. None is allowed."""
    if value is not None and not least <= value <= most:
        allowed = f"at least {least}" if value < least else f"{least} to {most}"
        raise UserError(f"{name} {shown(value)}: {allowed}")


def check_keys(settings: Any) -> None:
    """Raises UserError for the first field of a dataclass that is outside its range or not among its choices."""
    for field in dataclasses.fields(settings):
        value, limits = getattr(settings, field.name), {"choices": (), "least": None, "most": LARGEST, **field.metadata}
        choices = limits["choices"]() if callable(limits["choices"]) else limits["choices"]
        if value is not None and choices and value not in choices:
            quoted = f"'{shown(value)}'" if isinstance(value, str) else shown(value)
            raise UserError(f"{field.name} {quoted} is not known: {', '.join(map(str, choices))}")
        if limits["least"] is not None:
            check_range(field.name, value, limits["least"], limits["most"])


@dataclasses.dataclass
class RunConfig:
    """The keys of every training."""

    data: list[str] = key([], "folders of images, tables (CSV, TSV, JSONL), LMDBs or packs", free=True)
    split: str | None = key(None, "use rows of this split only; by default all except test and validation", free=True)
    seed: int = key(0, "random seed of weights, shuffling and views", **SEED)
    height: int = key(32, "height in pixels that every image is resized to", **SIDE)
    width: int = key(128, "width in pixels that every image is resized to", **SIDE)
    resize: str = key(
        "stretch",
        "stretch fills the width; pad keeps the aspect ratio and masks the padding",
        choices=("stretch", "pad"),
    )
    encoder: str = key(
        "tiny",
        "for lines: tiny, small, base, fast; for images: resnet9, resnet18, resnet50, alexnet, vit_tiny; "
        "with _lab: two encoders of half the width, of lightness and of colour",
        choices=names_in("seqclr.nn.encoders.SIZES", "seqclr.nn.image_encoders.IMAGE_ENCODERS"),
    )
    positions: str = key(
        "convolutional",
        "position embedding of encoders of lines: none, convolutional, sinusoidal or learned",
        choices=names_in("seqclr.nn.encoders.POSITIONS"),
    )
    channels: int = key(
        3,
        "channels of the encoder's input: 1 (gray), 3 (RGB), 4 (RGB and depth, with an encoder of two halves), or "
        "three for each difference of a stack (odd_one_out with clip_image=stack)",
        least=1,
        most=300,
    )
    dropout: float = key(0.1, "dropout rate in the Transformer and the CTC head", least=0, most=0.99)
    views: str = key("article", "augmentation: a preset, none, or a YAML file", free=True)
    epochs: int | None = key(None, "passes over the data", least=1, most=10**6)
    steps: int | None = key(None, "training steps (batches), instead of epochs", least=1, most=10**8)
    batch_size: int = key(64, "images in a batch, over all devices", least=1)
    accumulate: int = key(
        1,
        "gradient accumulation: parts of a batch that are processed one after the other to save memory; batch norm "
        "uses the statistics of a part",
        least=1,
    )
    steps_per_execution: int = key(
        1, "training steps in one call of the devices; more are faster where steps are short", least=1, most=10**4
    )
    optimizer: str = key("adamw", "sgd, adamw, lamb or lars", choices=names_in("seqclr.engine.optimizers.OPTIMIZERS"))
    learning_rate: float = key(
        1e-3, "peak learning rate, at the end of the warm-up; cosine decay to zero follows", least=0
    )
    momentum: float = key(0.9, "momentum of sgd and lars", least=0, most=1)
    weight_decay: float = key(
        0.01,
        "weight decay of kernels; biases, norms and tables are excluded. With sgd it goes through the momentum: 0.001 "
        "has the effect that 0.01 has with adamw at the same rate",
        least=0,
    )
    warmup: float = key(0.05, "fraction of the steps in which the learning rate rises linearly", least=0, most=1)
    clip: float = key(1.0, "maximum norm of the gradient; 0 for no clipping", least=0)
    precision: str = key(
        "auto", "auto, float32, mixed_bfloat16 or mixed_float16", choices=names_in("seqclr.engine.precision.PRECISIONS")
    )
    deterministic: bool = key(False, "the same command gives bitwise the same weights on the same machine")
    processes: int | None = key(
        None, "processes that make the views; by default one for every two cores", least=0, most=1024
    )
    workers: str | None = key(
        None, "host:port of every machine, separated by commas; by default from TF_CONFIG", free=True
    )
    worker: int = key(0, "index of this worker; worker 0 is the chief, which writes the run", least=0)
    checkpoint_every: int | None = key(None, "steps between checkpoints; by default at the end of every round", least=1)
    max_bytes: int = key(Limits.max_bytes, "largest file, in bytes; larger ones are not opened", least=1, most=2**40)
    max_pixels: int = key(
        Limits.max_pixels, "largest image, in pixels; of an animation, all frames together", least=1, most=2**40
    )
    max_frames: int = key(Limits.max_frames, "longest animation, in frames", least=1)
    profile: bool = key(False, "write a profile of steps 11 to 20 into the run, for TensorBoard's profile plugin")
    tensorboard: bool = key(False, "write TensorBoard logs into the run (needs the extra [tensorboard])")


@dataclasses.dataclass
class PretrainConfig(RunConfig):
    """Self-supervised pretraining on images without labels."""

    method: str = key(
        "simclr",
        "as `seqclr methods` lists them: simclr, simsiam, generated_simclr, swav, ...; several together: simclr+masked",
        free=True,
    )
    epochs: int | None = key(20, "passes over the data", least=1, most=10**6)
    init: str | None = key(
        None,
        "a run, or a reader of the package (captcha), to start from: its architecture and encoder, and its head where "
        "the method predicts text too",
        free=True,
    )
    probe: str | None = key(
        None,
        "labelled data: a probe of the frozen features chooses the best checkpoint; test rows are excluded",
        free=True,
    )
    probe_kind: str | None = key(
        None,
        "ctc, linear or knn; by default ctc for lines and knn for images",
        choices=names_in("seqclr.probes.probing.PROBES"),
    )
    probe_every: int | None = key(None, "rounds between probes; by default about ten probes in a run", least=1)
    probe_labels: int | None = key(
        None, "labels of every source that the probe uses, drawn by the seed; by default all", least=1
    )
    same_source: int = key(1, "images of one source that are together in a batch; 1 mixes all sources", least=1)


@dataclasses.dataclass
class EvolveConfig(PretrainConfig):
    """Evolution of the weights of several methods."""

    epochs: int | None = key(None, "passes over the data of a candidate", least=1, most=10**6)
    steps: int | None = key(100, "training steps (batches) of a candidate, instead of epochs", least=1, most=10**8)
    generations: int = key(8, "generations of CMA-ES", least=1, most=10**6)
    population: int = key(8, "candidates in a generation; one more has equal weights", least=4, most=10**6)
    criterion_clusters: int = key(50, "clusters of the criterion", least=2, most=10**6)
    criterion_images: int = key(1000, "images that are clustered", least=2, most=10**6)


@dataclasses.dataclass
class FinetuneConfig(RunConfig):
    """Training a recognizer on labelled images."""

    steps: int | None = key(2500, "training steps (batches), instead of epochs", least=1, most=10**8)
    learning_rate: float = key(
        2e-3, "peak learning rate, at the end of the warm-up; cosine decay to zero follows", least=0
    )
    pretrained: str | None = key(
        None, "a run, or a reader of the package (captcha); without it, training starts from scratch", free=True
    )
    unlabelled: list[str] = key([], "images without labels to learn from too, as data; adds keys of its own", free=True)
    distill: str | None = key(
        None,
        "a run used as teacher: its predictions on the unlabelled images are learned, in its charset and case",
        free=True,
    )
    labels: int | None = key(None, "labels of every source to use, drawn by the seed; by default all", least=1)
    label_pattern: str | None = key(None, "labels in file names, as '{text}_{any}.png'", free=True)
    validation: str | None = key(
        None, "labelled data to validate on; by default the validation rows, or else a tenth of the labels", free=True
    )
    charset: str | None = key(
        None,
        "the characters; by default those of the labels, and of the fine-tuned run that training starts from",
        free=True,
    )
    case: str = key("keep", "keep, lower or upper: applied to labels, charset and metrics", choices=tuple(CASES))
    unknown: str = key("error", "characters outside the charset: error, or drop them", choices=UNKNOWN)
    patience: int | None = key(None, "stop after this many rounds without a better validation result", least=1)


@dataclasses.dataclass
class AdaptConfig(RunConfig):
    """Adapting a reader to the images of a site."""

    steps: int | None = key(1500, "training steps (batches), instead of epochs", least=1, most=10**8)
    batch_size: int = key(32, "images of the site in a batch, over all devices", least=1)
    views: str = key("strong", "augmentation: a preset, none, or a YAML file", free=True)
    model: str = key("captcha", "the reader to start from: a run that predicts text, or one of the package", free=True)
    charset: str | None = key(
        None, "all characters that occur, if they are known; by default those of the surest predictions", free=True
    )
    length: str | None = key(
        None,
        "all lengths of the texts, if they are known: 4, 4:6 or 4,6 (in YAML in quotes); by default those of the "
        "surest predictions",
        free=True,
    )
    labels: int | None = key(None, "labels of every source to use, drawn by the seed; by default all", least=0)
    label_pattern: str | None = key(None, "labels in file names, as '{text}_{any}.png'", free=True)


def resolve(base: type, method: type | None, values: Sequence[dict[str, Any]] = ()) -> Any:
    """The configuration of a run: an object with one attribute per key.

    base: PretrainConfig or FinetuneConfig. method: a Method class, whose fields become keys too. values: mappings of
    keys to values as `typed` takes them; later ones override. Raises UserError for an unknown key, and for a value of a
    wrong type, outside its range or not among its choices.
    """
    own = dataclasses.fields(method) if method else ()
    fields = [(f.name, f.type, dataclasses.field(default=f.default, metadata=f.metadata)) for f in own]
    schema = keyed(base.__name__, fields, base)
    types = {field.name: kind(field) for field in dataclasses.fields(schema)}
    chosen: dict[str, Any] = {}
    for setting in [defaults_of(base, method, values) if method else {}, *values]:
        for name, value in full_names(setting, types):
            if name not in types:
                raise UserError(f"the key '{shown(name)}' does not exist: {hint(name, types)}")
            chosen[name] = typed(name, types[name], value)
            if value is not None and name in LENGTHS:  # only the one that was given last counts
                chosen[LENGTHS[name]] = None
    resolved = schema(**chosen)
    check_keys(resolved)
    return resolved


def keyed(name: str, fields: Iterable[tuple[str, Any, dataclasses.Field]], base: type) -> type:
    """A subclass of the dataclass `base` with more keys, whose names may have a dot, unlike those of
    `dataclasses.make_dataclass`. fields: name, annotation and field of each."""

    def __init__(self, **values):
        for field in dataclasses.fields(self):
            default = field.default if field.default is not dataclasses.MISSING else field.default_factory()
            setattr(self, field.name, values.pop(field.name, default))
        if values:
            raise TypeError(f"{name} has no {', '.join(values)}")
        if hasattr(self, "__post_init__"):
            self.__post_init__()

    annotations = {field: annotation for field, annotation, _ in fields}
    namespace = {"__module__": __name__, "__doc__": base.__doc__, "__init__": __init__, "__annotations__": annotations}
    made = type(base)(name, (base,), {**namespace, **{field: default for field, _, default in fields}})
    return dataclasses.dataclass(init=False, repr=False, eq=False)(made)


def full_names(values: dict[str, Any], known: Collection[str]) -> list[tuple[str, Any]]:
    """Keys and values, by the full names `method.key` of a combination of methods, the most specific last.

    `views` is also that of every method. Any other key of a method may be given without the method's name. Raises
    UserError where several methods have it, or where it is given by both names.
    """
    named: list[tuple[str, Any]] = []
    for name, value in values.items():
        owners = [full for full in known if full.partition(".")[2] == name]
        if name == "views":
            named = [(name, value), *((full, value) for full in owners), *named]
        elif name in known or not owners:
            named.append((name, value))
        elif len(owners) > 1:
            raise UserError(f"the key '{name}' is one of several methods: write {' or '.join(owners)}")
        elif owners[0] in values:
            raise UserError(f"{owners[0]} is given twice, also as {name}: leave one out")
        else:
            named.append((owners[0], value))
    return named


def defaults_of(base: type, method: type, values: Sequence[dict]) -> dict[str, Any]:
    """The defaults of a method that override those of the dataclasses. values: they name the encoder."""
    images = str(merged(values).get("encoder", base.encoder)) in names_in("seqclr.nn.image_encoders.IMAGE_ENCODERS")()
    return {**(method.image_defaults if images else method.line_defaults), **method.defaults}


def check_verb(verb: str, past: dict, folder: str | os.PathLike) -> None:
    """Raises UserError where a run, whose saved values are `past`, was started with another verb."""
    made = next((other for name, other in VERB_OF.items() if name in past), verb)
    if made != verb:
        raise UserError(f"{folder} is a run of seqclr {made}: resume it with that, or take another --output")


def settings(resumed: str | Path | None, file: str | Path | None, keys: dict) -> list[dict]:
    """The values that `resolve` takes: of the resumed run, except the machines it ran on, of a configuration file or
    name, and the given keys."""
    saved = None if resumed is None else Path(resumed) / "config.yaml"
    past = load_yaml(saved) if saved is not None and saved.is_file() else {}
    here = {key: value for key, value in past.items() if key not in ("workers", "worker")}
    return [here, {} if file is None else load_config(file), renamed(keys, "the given keys")]


def renamed(values: dict, source: str | Path) -> dict:
    """The values by their present names, with a warning for each older name. source: the origin, for messages.

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


_note = functools.cache(warn)  # once each, as a verb resolves its values more than once


def merged(values: Sequence[dict]) -> dict:
    return {key: value for setting in values for key, value in setting.items()}


def kind(field: dataclasses.Field) -> str:
    """The annotation of a field as text, for `typed`, whether annotations are postponed or not."""
    return field.type if isinstance(field.type, str) else inspect.formatannotation(field.type)


def typed(name: str, kind: str, value: Any) -> Any:
    """The value converted to `kind`, an annotation: bool, int, float, str, `list[...]` of these, `... | None`.

    Numbers may be given as text, and a list of one as its value; nothing else is converted. Raises UserError for a
    value of another type.
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
            raise UserError(f"{wrong}it must be a text, so put it in quotes")
        if not os.fspath(value) or "\0" in os.fspath(value):
            raise UserError(f"{wrong}a text must not be empty or contain a NUL character")
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
    """A value for a message, shortened to 120 characters."""
    try:
        text = str(value)
    except ValueError:  # Python converts no integer of thousands of digits
        text = "..."
    return text if len(text) <= 120 else f"{text[:117]}..."


def hint(name: str, known: Iterable[str]) -> str:
    """A suggestion for an unknown name: the closest known one, or all."""
    close = difflib.get_close_matches(str(name), list(known), 1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"


def absolute(name: str, value: Any) -> Any:
    """The value of a key, made absolute where it is a path: a saved configuration holds in any working folder."""
    if isinstance(value, list):
        return [absolute(name, item) for item in value]
    return os.path.abspath(value) if is_path(name, value) and not readers.is_released(value) else value


def is_path(name: str, value: Any) -> bool:
    """Whether the value of a key is a path."""
    own = name.rpartition(".")[2]  # without the name of a method in a combination
    return isinstance(value, str) and (own in PATHS or (name.endswith("views") and value.endswith(".yaml")))


def check_unchanged(name: str, now: Any, before: Any, folder: str | Path) -> None:
    """Raises UserError where a key of a resumed run has another value than before."""
    if now != before:
        raise UserError(
            f"{name} {shown(now)}: {folder} was started with {shown(before)}, and --resume needs the same: leave "
            "it out, or take another --output"
        )


class _Loader(yaml.SafeLoader):
    """Safe loading, without aliases, as a few of them expand to millions of values, and without duplicate keys."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key is given twice", node.start_mark)
        return mapping


class _Dumper(yaml.SafeDumper):
    """Dumps what `_Loader` reads back unchanged."""


for each in (_Loader, _Dumper):  # 1e5 is a number, as in YAML 1.2; to 1.1 it is one only as 1.0e+5
    number = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
    each.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+0123456789"))


def read_yaml(file: str | Path) -> Any:
    """The content of a YAML file: lists, mappings, texts, numbers. Raises UserError where it cannot be read."""
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
        raise UserError(f"{file} is not a YAML file ({line}{shown(error.problem)})") from None
    except RecursionError:
        raise UserError(f"{file} is nested too deeply: give a list of keys and values") from None
    except Exception as error:  # constructors raise many types of errors
        raise UserError(f"{file} is not a YAML file ({shown(str(error).splitlines()[0])})") from None


def load_yaml(file: str | Path) -> dict:
    """The keys and values of a YAML file. Raises UserError where it cannot be read or is no mapping."""
    values = read_yaml(file)
    if not isinstance(values, dict):
        raise UserError(f"{file} is not a list of 'key: value' lines")
    for name in values:
        if not isinstance(name, str):
            raise UserError(f"{file}: the key '{shown(name)}' does not exist: keys are words")
    return renamed(values, file)


def named_configs() -> dict[str, Path]:
    """The files of the named configurations, by name."""
    return {file.stem: file for file in sorted(CONFIGS.glob("*.yaml"))}


def load_config(name: str | Path) -> dict:
    """The keys and values of a named configuration or a YAML file. Raises UserError as `load_yaml`."""
    known = named_configs()
    if str(name) not in known and not exists(name):
        raise UserError(f"config '{shown(name)}' is neither a file nor one of {', '.join(known)}")
    return load_yaml(known.get(str(name), name))


def save(config: Any, stream: IO[str]) -> None:
    """Writes every key of a resolved configuration as YAML."""
    yaml.dump(dataclasses.asdict(config), stream, _Dumper, allow_unicode=True, sort_keys=False)


def fields_of(cls: type, config: Any) -> dict[str, Any]:
    """The values of a configuration for the fields of a dataclass, such as a method."""
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(cls)}


def part(cls: type[Part], config: Any) -> Part:
    """The keys of a configuration that a dataclass has as fields, as an object of that class."""
    return cls(**fields_of(cls, config))
