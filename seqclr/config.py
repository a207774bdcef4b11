"""A run as typed keys: dataclass defaults, then the method's, then a YAML file, then flags and `key=value`.

The keys are flat: those of the run and those of the method (its dataclass fields) stand side by side.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seqclr.data.images import Limits
from seqclr.errors import UserError

LENGTHS = {"steps": "epochs", "epochs": "steps"}


def key(default: Any, help: str, least: float | None = None, most: float | None = None) -> Any:
    """A field with its line of help, and of a number the range that it must lie in."""
    metadata = {"help": help, "least": least, "most": most}
    if isinstance(default, list):
        return dataclasses.field(metadata=metadata, default_factory=default.copy)
    return dataclasses.field(metadata=metadata, default=default)


def check_range(name: str, value: float | None, least: float | None, most: float | None = None) -> None:
    """Raises UserError for a number that the key of this name cannot have; None: no limit, no number."""
    low, high = (-math.inf if least is None else least), (math.inf if most is None else most)
    if value is not None and (least, most) != (None, None) and not low <= value <= high:
        raise UserError(f"{name} {value}: {f'{low} to {high}' if high < math.inf else f'at least {low}'}")


@dataclasses.dataclass
class RunConfig:
    """What every training has."""

    data: list[str] = key([], "folders of images, tables (CSV, TSV, JSONL), LMDBs or packs")
    split: str | None = key(None, "rows of this split only")
    seed: int = key(0, "of weights, shuffling and views", least=0, most=2**32 - 1)
    height: int = key(32, "pixels that every image is brought to")
    width: int = key(128, "pixels that every image is brought to")
    resize: str = key("stretch", "stretch fills the width; pad keeps proportions and masks the rest")
    encoder: str = key(
        "tiny",
        "of lines: tiny, small, base; of pictures: resnet9, resnet18, resnet50, alexnet, vit_tiny; "
        "each with _lab: two halves, of lightness and of colour",
    )
    positions: str = key("convolutional", "of lines: none, convolutional, sinusoidal or learned")
    dropout: float = key(0.1, "in the Transformer and the CTC head", least=0, most=1)
    views: str = key("article", "augmentation: a preset, none, or a YAML file")
    epochs: int | None = key(None, "passes over the data", least=1)
    steps: int | None = key(None, "batches, instead of epochs", least=1)
    batch_size: int = key(64, "images in a batch, over all devices", least=1)
    accumulate: int = key(
        1, "parts of a batch that take turns in the network, to save memory; batch norm sees a part", least=1
    )
    steps_per_execution: int = key(
        1, "steps that devices take without waiting for Python; more where they are short", least=1
    )
    optimizer: str = key("adamw", "sgd, adamw, lamb or lars")
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
    precision: str = key("auto", "auto, float32, mixed_bfloat16 or mixed_float16")
    deterministic: bool = key(False, "bitwise the same weights from the same command, on the same machine")
    processes: int | None = key(None, "processes that make the views; by default one for every two cores", least=0)
    workers: str | None = key(None, "host:port of every machine, between commas; by default what TF_CONFIG says")
    worker: int = key(0, "which of the workers this is; the first, 0, is the chief, who alone writes")
    checkpoint_every: int | None = key(None, "steps between checkpoints; by default at the end of every round", least=1)
    max_bytes: int = key(Limits.max_bytes, "of a file; larger ones are not opened", least=1)
    max_pixels: int = key(Limits.max_pixels, "of an image, or of all frames of an animation", least=1)
    max_frames: int = key(Limits.max_frames, "of an animation, where its frames are read", least=1)
    profile: bool = key(False, "write a profile of steps 11 to 20 into the run, for TensorBoard's profile plugin")
    tensorboard: bool = key(False, "write TensorBoard logs into the run (needs the extra [tensorboard])")


@dataclasses.dataclass
class PretrainConfig(RunConfig):
    """Self-supervised pretraining on images without labels."""

    method: str = key(
        "simclr", "as `seqclr methods` lists them: simclr, simsiam, generated_simclr, swav, deep_cluster, ..."
    )
    epochs: int | None = key(20, "passes over the data", least=1)
    init: str | None = key(None, "a run whose encoder to start from")
    probe: str | None = key(
        None, "labelled data: a probe of frozen features chooses the best checkpoint; test rows stay out"
    )
    probe_kind: str | None = key(None, "ctc, linear or knn; by default ctc for lines and knn for pictures")
    probe_every: int | None = key(None, "rounds between probes; by default about ten in the run", least=1)
    probe_labels: int | None = key(None, "probe with only so many labels of every source, drawn by the seed", least=1)
    same_source: int = key(1, "images of one source that come together in a batch; 1 mixes all", least=1)


@dataclasses.dataclass
class FinetuneConfig(RunConfig):
    """Training a recognizer on labelled images."""

    steps: int | None = key(2500, "batches, instead of epochs", least=1)
    learning_rate: float = key(2e-3, "at the end of the warm-up; a cosine to zero follows", least=0)
    pretrained: str | None = key(None, "a pretraining run; without it, from scratch")
    unlabelled: list[str] = key([], "images to learn from without labels, as data; adds keys of its own")
    distill: str | None = key(None, "a run that teaches what it reads in the unlabelled, in its charset and case")
    labels: int | None = key(None, "use only so many labels of every source, drawn by the seed", least=1)
    label_pattern: str | None = key(None, "labels in file names, as '{text}_{any}.png'")
    validation: str | None = key(None, "labelled data to validate on; by default a tenth of the labels is held out")
    charset: str | None = key(None, "the characters; by default those of the labels")
    case: str = key("keep", "keep, lower or upper: for labels, charset and metrics alike")
    unknown: str = key("error", "what a character outside the charset does: error, or drop it")
    patience: int | None = key(None, "stop after so many rounds without a better validation", least=1)


def resolve(base: type, method: type | None, values: Sequence[dict[str, Any]] = ()) -> Any:
    """The configuration of a run, as an object with one attribute per key.

    base: PretrainConfig or FinetuneConfig. method: a Method class, whose fields become keys too. values: settings by
    key, a later one over an earlier; strings are read as the key's type. Raises UserError for an unknown key or a value
    of a wrong type.
    """
    own = dataclasses.fields(method) if method else ()
    fields = [(f.name, f.type, dataclasses.field(default=f.default, metadata=f.metadata)) for f in own]
    schema = dataclasses.make_dataclass(base.__name__, fields, bases=(base,), namespace={"__module__": __name__})
    merged = OmegaConf.structured(schema)
    for setting in [method.defaults if method else {}, *values]:
        for name, value in setting.items():
            if name not in merged:
                raise UserError(f"the key '{name}' does not exist: {hint(name, merged)}")
            if isinstance(value, str) and (value == "null" or value.startswith("[")):
                value = yaml.safe_load(value)
            try:
                OmegaConf.update(merged, name, value)
                if value is not None and name in LENGTHS:  # the one that is given counts
                    merged[LENGTHS[name]] = None
            except OmegaConfBaseException as error:
                raise UserError(f"{name}={value} does not fit: {str(error).splitlines()[0]}") from None
    return OmegaConf.to_object(merged)


def hint(name: str, known: Iterable[str]) -> str:
    """What somebody may have meant by an unknown name."""
    close = difflib.get_close_matches(str(name), list(known), 1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"


def load_yaml(file: str | Path) -> dict:
    try:
        loaded = OmegaConf.load(file)
    except OSError as error:
        raise UserError(f"{file} cannot be opened ({error.strerror}): check the path") from None
    except Exception as error:  # the YAML parser's own, of many kinds
        raise UserError(f"{file} is not YAML ({str(error).splitlines()[0]})") from None
    values = OmegaConf.to_container(loaded)
    if not isinstance(values, dict):
        raise UserError(f"{file} is not a list of 'key: value' lines")
    return values


def save(config: Any, stream: IO[str]) -> None:
    """Writes every key of a resolved configuration as YAML."""
    OmegaConf.save(OmegaConf.create(dataclasses.asdict(config)), stream)


def fields_of(cls: type, config: Any) -> dict[str, Any]:
    """The values that a configuration has for the fields of a method class."""
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(cls)}
