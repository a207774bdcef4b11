"""Several methods that train one encoder together, `method=simclr+masked`."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from seqclr import config as configuration
from seqclr.config import RunConfig, key
from seqclr.data.sequences import Sequences
from seqclr.errors import UserError
from seqclr.methods.base import Columns, Method, RunInfo
from seqclr.methods.facts import Facts
from seqclr.transforms.together import Together, columns_of

VIEWS = "augmentation of the images of this method; `views` sets that of all methods"


@dataclass
class Combination(Method):
    """The weighted sum of the losses of several methods, with one encoder and the same images: multi-task learning
    (Doersch & Zisserman 2017, arXiv:1708.07860).

    Every method makes its part of an example with its own transform, and encodes it in a pass of its own, so batch norm
    uses the statistics of each. Keys and figures of a method have its name before them, as `simclr.temperature`. The
    parts of the first method, or of the one that predicts text, keep their names in checkpoints: what takes a head or a
    projector of a run takes theirs.
    """

    classes: ClassVar[dict[str, type[Method]]] = {}
    transform = Together

    weights: str | None = key(
        None, "weights of the methods' losses, as simclr:1,masked:0.5; 1 for those left out", free=True
    )

    def __post_init__(self):
        super().__post_init__()
        self.methods = {name: cls(**self._keys_of(name, cls)) for name, cls in self.classes.items()}
        self.given = read_weights(self.weights, list(self.methods))
        texts = [name for name, method in self.methods.items() if method.charset is not None]
        self._check_one(texts, "predict text")
        self.leading = texts[0] if texts else next(iter(self.methods))
        self.charset = self.methods[self.leading].charset
        self.infinite = self.methods[self.leading].infinite
        self.layer = "cnn" if all(method.layer == "cnn" for method in self.methods.values()) else "transformer"
        self.adversaries = frozenset(self._of_parts(lambda method: dict.fromkeys(method.adversaries)))

    def _keys_of(self, name: str, cls: type[Method]) -> dict:
        return {field.name: getattr(self, f"{name}.{field.name}") for field in dataclasses.fields(cls)}

    def _check_one(self, names: list[str], what: str) -> None:
        """Raises UserError where several methods do what only one can."""
        if len(names) > 1:
            raise UserError(f"{' and '.join(names)} both {what}, which one method of a run can: leave out one of them")

    def _of_parts(self, values_of: Callable[[Method], dict[str, Any]]) -> dict[str, Any]:
        """Values by part, or by layer within a part, of all methods, with the names that parts have in checkpoints."""
        return {
            path if name == self.leading or path.split("/")[0] == "encoder" else f"{name}.{path}": value
            for name, method in self.methods.items()
            for path, value in values_of(method).items()
        }

    def make_transform(self, views):
        """With the views of each method, which `views` has set where it was given."""
        return Together({name: method.make_transform(self._views(name)) for name, method in self.methods.items()})

    def _views(self, name: str) -> str:
        return getattr(self, f"{name}.views")

    def records(self, dataset):
        """Those of the methods, the fewest where they differ."""
        found = {name: method.records(dataset) for name, method in self.methods.items()}
        single = [name for name, records in found.items() if not isinstance(records, Sequences)]
        several = [name for name in found if name not in single]
        if single and several:
            raise UserError(
                f"{several[0]} takes sequences of images and {single[0]} single images: train them in different runs"
            )
        return min(found.values(), key=len)

    def prepare(self, samples):
        for method in self.methods.values():
            method.prepare(samples)

    def build(self, encoder, run=None):
        self.encoder, self.run = encoder, run or RunInfo()  # each method checks them
        self.shares = {name: keras.Variable(x, trainable=False, dtype="float32") for name, x in self.given.items()}
        for name, method in self.methods.items():
            method.build(encoder, dataclasses.replace(self.run, views=self._views(name)))
        averages = [name for name, method in self.methods.items() if method.result() is not None]
        self._check_one(averages, "have an average of the encoder as their result")
        chances = [method.chance for method in self.methods.values() if method.chance is not None]
        self.chance = chances[0] if len(chances) == 1 else None

    def weigh(self, weights: dict[str, float]) -> None:
        """Sets the weights of the losses, by method."""
        for name, weight in weights.items():
            self.shares[name].assign(weight)

    def parts(self):
        return self._of_parts(lambda method: method.parts())

    def loss(self, batch, training):
        figures: dict[str, tf.Tensor] = {}
        sums: dict[str, list[tf.Tensor]] = {"loss": []}
        for name, method in self.methods.items():
            own = method.loss(columns_of(name, batch), training)
            figures |= {f"{name}.{figure}": value for figure, value in own.items()}
            for side in ("loss", "adversary_loss"):
                if side in own:
                    sums.setdefault(side, []).append(self.shares[name].value * tf.cast(own[side], tf.float32))
        return {**{side: tf.add_n(terms) for side, terms in sums.items()}, **figures}

    def preview_inputs(self, batch):
        return self._columns(lambda method, own: method.preview_inputs(own), batch)

    def preview_outputs(self, batch):
        return self._columns(lambda method, own: method.preview_outputs(own), batch)

    def _columns(self, draw: Callable, batch: dict[str, np.ndarray]) -> Columns:
        return {
            f"{name}: {title}": column
            for name, method in self.methods.items()
            for title, column in draw(method, columns_of(name, batch)).items()
        }

    def result(self):
        return next((found for method in self.methods.values() if (found := method.result()) is not None), None)

    def after_step(self):
        for method in self.methods.values():
            method.after_step()

    def relabels(self, step):
        self.due = [method for method in self.methods.values() if method.relabels(step)]
        return bool(self.due)

    def relabel(self, batches):
        for method in self.due:
            method.relabel(batches)

    def frozen(self, step):
        return frozenset(self._of_parts(lambda method: dict.fromkeys(method.frozen(step))))

    def phase(self, step):
        return tuple(method.phase(step) for method in self.methods.values())

    def learning_rate_factors(self):
        return self._of_parts(lambda method: method.learning_rate_factors())

    def constant_rates(self):
        return frozenset(self._of_parts(lambda method: dict.fromkeys(method.constant_rates())))


def read_weights(text: str | None, names: list[str]) -> dict[str, float]:
    """The weight of each method, from text such as "simclr:1,masked:0.5"; 1 where it is not given.

    Raises UserError for another form, an unknown name, a name given twice, or weights that are negative or all 0.
    """
    weights: dict[str, float] = {}
    for item in [] if text is None else text.split(","):
        name, _, number = item.strip().partition(":")
        if name not in names:
            raise UserError(f"weights: '{configuration.shown(name)}' is none of the methods {', '.join(names)}")
        if name in weights:
            raise UserError(f"weights: {name} is given twice")
        if not number:
            raise UserError(f"weights: {name} has no number: write {name}:1")
        weights[name] = configuration.typed(f"weights: {name}", "float", number)
        configuration.check_range(f"weights: {name}", weights[name], least=0)
    weights = {name: weights.get(name, 1.0) for name in names}
    if not any(weights.values()):
        raise UserError(f"weights {text}: at least one must be above 0")
    return weights


@functools.cache
def combine(methods: tuple[tuple[str, type[Method]], ...]) -> type[Combination]:
    """The class that trains these methods, by name, together.

    Raises UserError where a method is given twice, or no encoder suits all.
    """
    classes = dict(methods)
    if len(classes) < len(methods):
        raise UserError(f"method '{'+'.join(name for name, _ in methods)}' names a method twice: leave one out")
    facts = combined_facts(classes)
    cls = configuration.keyed("+".join(each.__name__ for each in classes.values()), list(keys_of(classes)), Combination)
    cls.classes, cls.facts, cls.animated = classes, facts, any(each.animated for each in classes.values())
    cls.uses_labels = any(each.uses_labels for each in classes.values())
    cls.line_defaults = defaults_of(classes, "line_defaults")
    cls.image_defaults = defaults_of(classes, "image_defaults")
    return cls


def keys_of(classes: dict[str, type[Method]]) -> Iterator[tuple[str, str, dataclasses.Field]]:
    """Name, type and field of the keys of each method, and of its views."""
    for name, cls in classes.items():
        yield f"{name}.views", "str", key(RunConfig.views, VIEWS, free=True)
        for field in dataclasses.fields(cls):
            copy = dataclasses.field(default=field.default, metadata=field.metadata)
            yield f"{name}.{field.name}", configuration.kind(field), copy


def defaults_of(classes: dict[str, type[Method]], of_encoder: str) -> dict[str, Any]:
    """The defaults of all methods with a kind of encoder. A common key has the value of the first method that has one,
    and so have the views that are monitored."""
    common: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, cls in classes.items():
        fields = {"views", *(field.name for field in dataclasses.fields(cls))}
        defaults = {"views": RunConfig.views, **getattr(cls, of_encoder), **cls.defaults}
        own |= {f"{name}.{setting}": value for setting, value in defaults.items() if setting in fields}
        common = {**{name: value for name, value in defaults.items() if name not in fields - {"views"}}, **common}
    return {**common, **own}


def combined_facts(classes: dict[str, type[Method]]) -> Facts:
    """The needs of all methods. Raises UserError where one needs lines and another images."""
    needs: dict[str, tuple[str, str]] = {}  # the first method that has a need, and why
    for name, cls in classes.items():
        for need, why in vars(cls.facts).items():
            if need.startswith("needs_") and why:
                needs.setdefault(need, (name, why))
    if "needs_lines" in needs and "needs_images" in needs:
        (line, of_lines), (image, of_images) = needs["needs_lines"], needs["needs_images"]
        raise UserError(
            f"{line} takes encoders of text lines, as {of_lines}, and {image} encoders of images, as {of_images}: "
            "train them in different runs"
        )
    return Facts(**{need: why for need, (_, why) in needs.items()})
