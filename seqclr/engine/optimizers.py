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
    """Rises linearly to `peak` over `warmup` steps, then falls to zero as a half cosine at `steps`.

    start: the step at which it begins to rise, for a part that learns later than others; it falls as theirs does.
    falls: whether it does, or stays at the peak.
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
    """Weight decay as a matter of `update_step`, where the rate is that of a variable's part; what is excluded has
    none. Keras' own is the same for all optimizers: `rate * decay * w` off every weight, at the common rate."""

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

    As in the authors' code, what has no decay has no trust ratio either: it is moved as by Adam.
    """

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

    The trust ratio is `eta ||w|| / ||g + decay w||`; what has no decay (biases, norms) has no ratio either.
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


def _sgd(config):
    return SGD, {"momentum": config.momentum}


def _adamw(config):
    return AdamW, {}


def _lamb(config):
    return LAMB, {"epsilon": 1e-6}  # the paper's, as for Adam Keras' 1e-7


def _lars(config):
    return LARS, {"momentum": config.momentum}


OPTIMIZERS: dict[str, Callable] = {"sgd": _sgd, "adamw": _adamw, "lamb": _lamb, "lars": _lars}


def build_optimizer(config, schedule, schedules: dict[str, Callable], variables: dict[str, list]):
    """The optimizer of a run, built on all its trainable variables.

    schedule: step to learning rate. variables: by part. schedules: by part or, after it, by `part/layer`, what holds
    there instead. Gradients are expected to be summed over the replicas already. Under `mixed_float16` the loss is
    scaled dynamically.
    """
    if config.optimizer not in OPTIMIZERS:
        raise UserError(f"optimizer '{config.optimizer}' is not known: {', '.join(OPTIMIZERS)}")
    base, arguments = OPTIMIZERS[config.optimizer](config)
    arguments |= {"learning_rate": schedule, "weight_decay": config.weight_decay}
    schedule_of: dict[str, Callable] = {}

    class PerPart(base):
        def update_step(self, gradient, variable, learning_rate):
            own = schedule_of.get(self._var_key(variable))
            super().update_step(gradient, variable, learning_rate if own is None else own(self.iterations))

        def _all_reduce_sum_gradients(self, grads_and_vars):
            return grads_and_vars  # the trainer has, before clipping, so that all replicas clip alike

    optimizer = PerPart(**arguments, global_clipnorm=config.clip or None, name="optimizer")
    everything = [variable for part in variables.values() for variable in part]
    optimizer.exclude_from_weight_decay(var_list=[v for v in everything if excluded(v)])
    optimizer.build(everything)
    for layer_path, own in schedules.items():
        part, _, layer = layer_path.partition("/")
        chosen = [v for v in variables[part] if v.path.split("/", 1)[-1].startswith(layer and f"{layer}/")]
        schedule_of.update({optimizer._var_key(variable): own for variable in chosen})
    if keras.mixed_precision.dtype_policy().name == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(everything)
    return optimizer


def excluded(variable) -> bool:
    """Whether it is no kernel but a vector, or one for every head or place, which has no decay and no trust ratio:
    biases, the offsets and scales of norms, tables of positions, learned tokens."""
    return len(variable.shape) < 2 or variable.name in ("bias", "gamma", "beta", "table")


def learning_rate_at(schedule, step: int) -> float:
    return float(tf.convert_to_tensor(schedule(step)))
