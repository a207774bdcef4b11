"""The training step: forward pass, gradients and updates, as compiled graphs on the devices of a strategy."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqclr.engine.optimizers import trainable
from seqclr.methods.base import Method

Batch = dict[str, Any]  # arrays or tensors by name, rows first


class TrainStep:
    """Trains a method on a batch, or on several batches in one call of the devices.

    method: built, under `strategy.scope()`. optimizers: as `optimizers.make_optimizers` returns them. workers: the
    number of processes that share a batch. accumulate: the number of parts that a replica divides its rows into, which
    go through the network one after the other to save memory.
    """

    def __init__(
        self, method: Method, optimizers: dict, strategy: tf.distribute.Strategy, workers: int = 1, accumulate: int = 1
    ):
        self.method, self.optimizers, self.strategy = method, optimizers, strategy
        self.workers, self.accumulate = workers, accumulate
        self._functions: dict[tuple[frozenset, int], tf.types.experimental.PolymorphicFunction] = {}

    def __call__(self, batches: list[dict[str, np.ndarray]], frozen: frozenset[str]) -> list[dict]:
        """Takes a step on each batch, and returns the logs of each. frozen: the parts that do not learn."""
        logs = self.function(frozen, len(batches))(self.distribute(batches))
        if len(batches) == 1:
            return [logs]
        return [dict(zip(logs, values)) for values in zip(*(value.numpy() for value in logs.values()))]

    def function(self, frozen: frozenset[str], count: int):
        """The compiled function of a batch that `distribute` returned, for `count` steps with these parts frozen."""
        if (frozen, count) not in self._functions:
            parts = self.method.parts()
            for name, part in parts.items():
                if isinstance(part, keras.Layer):  # bare variables keep `trainable`; False marks state such as queues
                    part.trainable = name not in frozen
            variables = {name: [] for name in self.optimizers}
            for name in (name for name in parts if name not in frozen):
                side = "adversary_optimizer" if name in self.method.adversaries else "optimizer"
                variables[side] += trainable(parts[name])
            steps = self._distributed if count == 1 else functools.partial(self._steps, count=count)
            self._functions[frozen, count] = tf.function(lambda batch: steps(batch, variables))
        return self._functions[frozen, count]

    def distribute(self, batches: list[dict[str, np.ndarray]]) -> Batch:
        """This process's batches on its devices, each replica with its part of the rows; several are stacked."""
        rows = 0 if len(batches) == 1 else 1
        batch = batches[0] if rows == 0 else {name: np.stack([b[name] for b in batches]) for name in batches[0]}
        replicas = self.strategy.num_replicas_in_sync // self.workers
        if self.strategy.num_replicas_in_sync == 1:
            return {name: tf.constant(array) for name, array in batch.items()}
        return {
            name: self.strategy.experimental_distribute_values_from_function(
                lambda context, parts=parts: tf.constant(parts[context.replica_id_in_sync_group % replicas])
            )
            for name, parts in ((name, np.split(array, replicas, rows)) for name, array in batch.items())
        }

    def _steps(self, batches: Batch, variables: dict, count: int) -> dict[str, tf.Tensor]:
        """Takes `count` steps on stacked batches, one after the other, and returns their logs, `[count]` each."""
        names: list[str] = []

        def step(i, seen):
            logs = self._distributed(batches, variables, i)
            names[:] = logs
            return i + 1, seen.write(i, tf.stack(list(logs.values())))

        start = tf.constant(0), tf.TensorArray(tf.float32, count)
        _, seen = tf.while_loop(lambda i, _: i < count, step, start, parallel_iterations=1)
        return dict(zip(names, tf.unstack(seen.stack(), len(names), axis=1)))

    def _distributed(self, batch: Batch, variables: dict, i=None) -> dict[str, tf.Tensor]:
        logs = self.strategy.run(self._replica_step, args=(batch, variables, i))
        return {name: self.strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    def _replica_step(self, batch: Batch, variables: dict, i) -> dict[str, tf.Tensor]:
        batch = batch if i is None else {name: batches[i] for name, batches in batch.items()}
        logs, gradients = self._accumulated(batch, variables)
        replicas, gradients = tf.distribute.get_replica_context(), iter(gradients)
        for name, optimizer in self.optimizers.items():
            pairs = [(g, v) for v, g in zip(variables[name], gradients) if g is not None]
            if pairs:
                summed = replicas.all_reduce(tf.distribute.ReduceOp.SUM, [g for g, _ in pairs])
                optimizer.apply(summed, [v for _, v in pairs])
        self.method.after_step()
        return logs

    def _accumulated(self, batch: Batch, variables: dict):
        """Logs and gradients of a replica's batch, summed over its parts."""
        count = self.accumulate
        if count == 1:
            return self._gradients(batch, variables)
        parts = {name: tf.split(rows, count) for name, rows in batch.items()}
        logs: list[dict[str, tf.Tensor]] = []
        gradients: list[tf.Tensor | None] = [None] * sum(map(len, variables.values()))
        for i in range(count):
            with tf.control_dependencies([g for g in gradients if g is not None]):  # or all would be in memory at once
                part = {name: tf.identity(rows[i]) for name, rows in parts.items()}
            seen, more = self._gradients(part, variables)
            logs.append(seen)
            gradients = [g if m is None else m if g is None else g + m for g, m in zip(gradients, more)]
        return {name: tf.add_n([seen[name] for seen in logs]) / count for name in logs[0]}, gradients

    def _gradients(self, batch: Batch, variables: dict):
        """Logs of a batch or a part of it, and its share of the gradients of each optimizer's scaled loss."""
        with tf.GradientTape(persistent=len(self.optimizers) > 1) as tape:
            logs = {name: tf.cast(value, tf.float32) for name, value in self.method.loss(batch, training=True).items()}
            penalties = [loss for part in self.method.parts().values() for loss in getattr(part, "losses", [])]
            if penalties:
                logs["penalty"] = tf.add_n([tf.cast(penalty, tf.float32) for penalty in penalties])
            losses = logs["loss"] + logs.get("penalty", 0.0), logs.get("adversary_loss")
            share = self.strategy.num_replicas_in_sync * self.accumulate
            sides = zip(self.optimizers.items(), losses)
            scaled = {name: optimizer.scale_loss(loss) / share for (name, optimizer), loss in sides}
        return logs, [g for name, loss in scaled.items() for g in tape.gradient(loss, variables[name])]
