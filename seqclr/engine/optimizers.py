"""Optimizers by name, with what all of them need here: a schedule, weight decay of kernels only, rates per part."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import tensorflow as tf
from keras import ops

from seqclr.errors import UserError


@keras.saving.register_keras_serializable("seqclr")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to `peak` over `warmup` steps, then falls to zero as a half cosine at `steps`."""

    def __init__(self, peak: float, warmup: int, steps: int):
        self.peak, self.warmup, self.steps = peak, warmup, steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rise = (step + 1) / max(1, self.warmup)
        fall = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.peak * ops.where(step < self.warmup, rise, 0.5 * (1 + ops.cos(math.pi * ops.clip(fall, 0.0, 1.0))))

    def get_config(self):
        return {"peak": self.peak, "warmup": self.warmup, "steps": self.steps}


class LARS(keras.optimizers.SGD):
    """You et al. 2017, arXiv:1708.03888, as the SimCLR and MoCo authors' code has it.

    The trust ratio is `eta ||w|| / ||g + decay w||`, and vectors (biases, norms) have neither ratio nor decay.
    """

    def __init__(self, learning_rate, momentum: float = 0.9, weight_decay: float = 0.0, eta: float = 1e-3, **kwargs):
        super().__init__(learning_rate, momentum=momentum, **kwargs)
        self.decay, self.eta = weight_decay, eta

    def update_step(self, gradient, variable, learning_rate):
        if len(variable.shape) > 1:
            gradient = gradient + self.decay * ops.convert_to_tensor(variable)
            weight_norm, norm = ops.norm(variable), ops.norm(gradient)
            ratio = self.eta * weight_norm / ops.where(norm > 0, norm, 1.0)
            gradient = gradient * ops.where(ops.logical_and(weight_norm > 0, norm > 0), ratio, 1.0)
        super().update_step(gradient, variable, learning_rate)


def _sgd(config, rate):
    arguments = {"learning_rate": rate, "momentum": config.momentum, "weight_decay": config.weight_decay}
    return keras.optimizers.SGD, arguments


def _adamw(config, rate):
    return keras.optimizers.AdamW, {"learning_rate": rate, "weight_decay": config.weight_decay}


def _lamb(config, rate):
    return keras.optimizers.Lamb, {"learning_rate": rate, "weight_decay": config.weight_decay}


def _lars(config, rate):
    return LARS, {"learning_rate": rate, "momentum": config.momentum, "weight_decay": config.weight_decay}


OPTIMIZERS: dict[str, Callable] = {"sgd": _sgd, "adamw": _adamw, "lamb": _lamb, "lars": _lars}


def build_optimizer(config, schedule, factors: dict[str, Callable], variables: dict[str, list]):
    """The optimizer of a run, built on all its trainable variables.

    schedule: step to learning rate. variables: by part. factors: by part or, after it, by `part/layer`, what the rate
    is multiplied with, of the step. Gradients are expected to be summed over the replicas already. Under
    `mixed_float16` the loss is scaled dynamically.
    """
    if config.optimizer not in OPTIMIZERS:
        raise UserError(f"optimizer '{config.optimizer}' is not known: {', '.join(OPTIMIZERS)}")
    base, arguments = OPTIMIZERS[config.optimizer](config, schedule)
    factor_of: dict[str, Callable] = {}

    class PerPart(base):
        def update_step(self, gradient, variable, learning_rate):
            factor = factor_of.get(self._var_key(variable))
            rate = learning_rate if factor is None else learning_rate * ops.cast(factor(self.iterations), "float32")
            super().update_step(gradient, variable, rate)

        def _all_reduce_sum_gradients(self, grads_and_vars):
            return grads_and_vars  # the trainer has, before clipping, so that all replicas clip alike

    optimizer = PerPart(**arguments, global_clipnorm=config.clip or None, name="optimizer")
    everything = [variable for part in variables.values() for variable in part]
    optimizer.exclude_from_weight_decay(var_list=[v for v in everything if spared(v)])
    optimizer.build(everything)
    for place, factor in factors.items():
        part, _, layer = place.partition("/")
        chosen = [v for v in variables[part] if v.path.split("/", 1)[-1].startswith(layer and f"{layer}/")]
        factor_of.update({optimizer._var_key(variable): factor for variable in chosen})
    if keras.mixed_precision.dtype_policy().name == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(everything)
    return optimizer


def spared(variable) -> bool:
    """Biases, the offsets and scales of norms, and position tables are not decayed."""
    return len(variable.shape) < 2 or any(word in variable.path for word in ("bias", "gamma", "beta", "positions"))


def learning_rate_at(schedule, step: int) -> float:
    return float(tf.convert_to_tensor(schedule(step)))
