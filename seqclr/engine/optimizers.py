"""Optimizers by name, with a schedule, weight decay of kernels only, and learning rates per part."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Set
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from seqclr.errors import UserError
from seqclr.methods.base import Method


@keras.saving.register_keras_serializable("seqclr")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to `peak` over `warmup` steps, then cosine decay to zero at `steps`.

    start: the step at which the warm-up begins, for a part that thaws later; its decay is that of the other parts.
    falls: False for a constant rate after the warm-up.

    Keras' CosineDecay cannot warm up during the decay, and begins the decay one step earlier.
    """

    def __init__(self, peak: float, warmup: int, steps: int, start: int = 0, falls: bool = True):
        self.peak, self.warmup, self.steps, self.start, self.falls = peak, warmup, steps, start, falls

    def __call__(self, step):
        step = ops.cast(step, "float32")
        risen = ops.clip((step - self.start + 1) / max(1, self.warmup), 0.0, 1.0)
        fallen = ops.clip((step - self.warmup) / max(1, self.steps - self.warmup), 0.0, 1.0) if self.falls else 0.0
        return self.peak * risen * 0.5 * (1 + ops.cos(math.pi * fallen))

    def get_config(self):
        return {name: getattr(self, name) for name in ("peak", "warmup", "steps", "start", "falls")}


class Decay:
    """Weight decay within `update_step`, at the learning rate of a variable's part, except for excluded variables.

    Keras' own subtracts `rate * decay * w` at the common rate, in every optimizer.
    """

    def _apply_weight_decay(self, variables):
        return None

    def decayed(self, variable):
        return ops.convert_to_tensor(variable) * self.weight_decay


class SGD(Decay, keras.optimizers.SGD):
    """Decay goes through the momentum, as in the MoCo and SimSiam authors' code: at a momentum of 0.9 a weight without
    a gradient shrinks by `10 * rate * decay` a step."""

    def update_step(self, gradient, variable, learning_rate):
        if self._use_weight_decay(variable):
            gradient = gradient + self.decayed(variable)
        super().update_step(gradient, variable, learning_rate)


class AdamW(Decay, keras.optimizers.AdamW):
    """Loshchilov & Hutter 2019, arXiv:1711.05101: decay does not go through the moments."""

    def update_step(self, gradient, variable, learning_rate):
        if self._use_weight_decay(variable):
            self.assign_sub(variable, self.decayed(variable) * learning_rate)
        super().update_step(gradient, variable, learning_rate)


class LAMB(Decay, keras.optimizers.Lamb):
    """You et al. 2020, arXiv:1904.00962: steps of the length `rate ||w||` along `adam + decay w`.

    As in the authors' code, variables excluded from decay have no trust ratio: Adam updates them.
    """

    def __init__(self, **arguments):
        super().__init__(epsilon=1e-6, **arguments)  # the paper's; Keras' default is 1e-7

    def update_step(self, gradient, variable, learning_rate):
        i, step = self._get_variable_index(variable), ops.cast(self.iterations + 1, variable.dtype)
        m, v = self._momentums[i], self._velocities[i]
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1 - self.beta_2))
        update = m / (1 - self.beta_1**step) / (ops.sqrt(v / (1 - self.beta_2**step)) + self.epsilon)
        if self._use_weight_decay(variable):
            update = update + self.decayed(variable)
            update = update * trust(variable, update)
        self.assign_sub(variable, learning_rate * update)


class LARS(Decay, keras.optimizers.SGD):
    """You et al. 2017, arXiv:1708.03888, as the SimCLR and MoCo authors' code has it.

    The trust ratio is `eta ||w|| / ||g + decay w||`; variables excluded from decay have none.
    """

    eta = 1e-3

    def update_step(self, gradient, variable, learning_rate):
        if self._use_weight_decay(variable):
            gradient = gradient + self.decayed(variable)
            gradient = gradient * trust(variable, gradient, self.eta)
        super().update_step(gradient, variable, learning_rate)


def trust(variable, update, eta: float = 1.0):
    """`eta ||w|| / ||update||`, and 1 where either is 0."""
    weight_norm, norm = tf.norm(variable), tf.norm(update)
    ratio = eta * weight_norm / ops.where(norm > 0, norm, 1.0)
    return ops.where(ops.logical_and(weight_norm > 0, norm > 0), ratio, 1.0)


@dataclasses.dataclass(frozen=True)
class OptimizerSettings:
    """The keys of a configuration that an optimizer and its schedule need."""

    optimizer: str
    learning_rate: float
    momentum: float
    weight_decay: float
    warmup: float
    clip: float


OPTIMIZERS: dict[str, type] = {"sgd": SGD, "adamw": AdamW, "lamb": LAMB, "lars": LARS}


def schedule_of(
    settings: OptimizerSettings, total: int, first: int = 0, start: int = 0, factor: float = 1.0, falls: bool = True
) -> WarmupCosine:
    """The schedule of a run of `total` steps, for an optimizer that counts steps from step `first` of the run."""
    warmup = int(settings.warmup * total)
    return WarmupCosine(factor * settings.learning_rate, warmup, total - first, start, falls)


def make_optimizers(method: Method, settings: OptimizerSettings, total: int) -> dict[str, Any]:
    """The optimizers of a method by name: one for the parts that minimize `loss`, and one for its adversaries, if any.

    total: the steps of the run. Called under `strategy.scope()`.
    """
    sides = {"optimizer": method.parts().keys() - method.adversaries, "adversary_optimizer": method.adversaries}
    return {name: _optimizer_of(method, parts, settings, total) for name, parts in sides.items() if parts}


def _optimizer_of(method: Method, names: Set[str], settings: OptimizerSettings, total: int):
    """The optimizer of these parts, whose step count and schedule start when the first of them starts to learn.

    A part that thaws later has a warm-up of its own from then on, as its moments are empty.
    """
    parts = {name: trainable(part) for name, part in method.parts().items() if name in names}
    thaw = {name: next((s for s in range(total) if name not in method.frozen(s)), total) for name in parts}
    first, constant = min(thaw.values()), method.constant_rates()
    factors = {name: 1.0 for name, start in thaw.items() if start > first or name in constant}
    factors |= {path: x for path, x in method.learning_rate_factors().items() if path.split("/")[0] in parts}
    schedules = {}
    for path, factor in factors.items():
        part = path.split("/")[0]
        schedules[path] = schedule_of(settings, total, first, thaw[part] - first, factor, part not in constant)
    return build_optimizer(settings, schedule_of(settings, total, first), schedules, parts)


def build_optimizer(
    settings: OptimizerSettings, schedule: Callable, schedules: dict[str, Callable], variables: dict[str, list]
):
    """An optimizer, built on all trainable variables.

    schedule: step to learning rate. variables: by part. schedules: by part or `part/layer`, the schedule that replaces
    `schedule` there. Gradients are expected to be summed over the replicas. Under `mixed_float16` the loss is scaled
    dynamically. Raises UserError for an unknown name.
    """
    if settings.optimizer not in OPTIMIZERS:
        raise UserError(f"optimizer '{settings.optimizer}' is not known: {', '.join(OPTIMIZERS)}")
    base = OPTIMIZERS[settings.optimizer]
    arguments = {"learning_rate": schedule, "weight_decay": settings.weight_decay}
    if issubclass(base, keras.optimizers.SGD):
        arguments["momentum"] = settings.momentum
    own_schedules: dict[str, Callable] = {}

    class PerPart(base):
        def update_step(self, gradient, variable, learning_rate):
            own = own_schedules.get(self._var_key(variable))
            super().update_step(gradient, variable, learning_rate if own is None else own(self.iterations))

        def _all_reduce_sum_gradients(self, grads_and_vars):
            return grads_and_vars  # the trainer has, before clipping, so that all replicas clip alike

    optimizer = PerPart(**arguments, global_clipnorm=settings.clip or None, name="optimizer")
    everything = [variable for part in variables.values() for variable in part]
    optimizer.exclude_from_weight_decay(var_list=[v for v in everything if excluded(v)])
    optimizer.build(everything)
    for layer_path, own in schedules.items():
        part, _, layer = layer_path.partition("/")
        chosen = [v for v in variables[part] if v.path.split("/", 1)[-1].startswith(layer and f"{layer}/")]
        own_schedules.update({optimizer._var_key(variable): own for variable in chosen})
    if keras.mixed_precision.dtype_policy().name == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(everything)
    return optimizer


def excluded(variable) -> bool:
    """Whether a variable has no weight decay and no trust ratio, as it is no kernel: biases, the offsets and scales of
    norms, tables of positions, learned tokens."""
    return len(variable.shape) < 2 or variable.name in ("bias", "gamma", "beta", "table")


def trainable(part) -> list[keras.Variable]:
    """The variables of a method's part, a layer or a variable, that optimizers update."""
    if isinstance(part, keras.Variable):
        return [part] if part.trainable else []
    return part.trainable_variables


def learning_rate_at(schedule, step: int) -> float:
    """The value of a schedule at a step."""
    return float(tf.convert_to_tensor(schedule(step)))
