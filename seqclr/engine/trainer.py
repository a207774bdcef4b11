"""The one training loop: any method, on one device or many, from the command line or from Python."""

from __future__ import annotations

import functools
from collections.abc import Sequence, Set
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from seqclr.data.loader import in_order
from seqclr.data.workers import LoaderFailed
from seqclr.engine import checkpoints, optimizers, signals
from seqclr.engine.distribution import LOST, SINGLE, Agreement, Rank
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.files import NotWritten
from seqclr.messages import bar
from seqclr.methods.base import Method

KEEP = 2  # checkpoints of the last steps


class TrainingFailed(Exception):
    """The work failed though arguments and data were right, and why."""


class Interrupted(Exception):
    """A signal, of this number, stopped the run; it was saved."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.number = number


class Trainer:
    """Runs a method over the batches of a loader, to a number of steps.

    method: built, under `strategy.scope()`. loader: an iterator of batches with `get_state`, `set_state`,
    `steps_per_epoch`, and, for a method that relabels, `records`. config: a resolved configuration. run: where
    checkpoints go. callbacks: Keras callbacks; one with `get_state` and `set_state` is part of the checkpoint. They see
    rounds as Keras' epochs: a round is an epoch, or several where an epoch is short. place: this process's among the
    workers; only the chief writes, so only it has use for callbacks.
    """

    def __init__(
        self, method: Method, loader, config, run: Run, strategy, callbacks: Sequence = (), rank: Rank = SINGLE
    ):
        self.method, self.loader, self.config, self.run, self.strategy = method, loader, config, run, strategy
        self.rank, self.agreement = rank, Agreement(strategy)
        self.total = config.steps or config.epochs * loader.steps_per_epoch
        method.total_steps, method.steps_per_epoch = self.total, loader.steps_per_epoch
        self.round = min(self.total, max(loader.steps_per_epoch, -(-self.total // 40)))
        self._every = config.checkpoint_every or self.total  # steps between checkpoints within a round
        self.step, self._position = 0, loader.get_state()
        self.pending: list[dict] = []  # what the steps of this round measured
        self.logs: dict[str, float] = {}  # the means of the last round
        self.last: Path | None = None  # the last checkpoint
        self.model = _Parts(method.parts())
        self.optimizers = {"optimizer": self._optimizer(set(method.parts()) - method.adversaries)}
        if method.adversaries:
            self.optimizers["adversary_optimizer"] = self._optimizer(method.adversaries)
        self.model.optimizer = self.optimizers["optimizer"]
        self.schedule = self._schedule(self.total)
        self.callbacks = list(callbacks)
        self._functions: dict[tuple[frozenset, int], tf.types.experimental.PolymorphicFunction] = {}

    # the step

    def _schedule(self, steps: int, factor: float = 1.0, start: int = 0, falls: bool = True) -> optimizers.WarmupCosine:
        peak, warmup = factor * self.config.learning_rate, int(self.config.warmup * self.total)
        return optimizers.WarmupCosine(peak, warmup, steps, start, falls)

    def _optimizer(self, names: Set[str]):
        """The optimizer of these parts, which counts steps, and has a schedule, from when the first of them learns.

        A part that thaws later warms up from then on, as its moments are empty.
        """
        parts = {name: _trainable(part) for name, part in self.method.parts().items() if name in names}
        thaw, constant = {name: self._thaw(name) for name in parts}, self.method.constant_rates()
        first = min(thaw.values())
        factors = {name: 1.0 for name, start in thaw.items() if start > first or name in constant}
        factors |= {at: x for at, x in self.method.learning_rate_factors().items() if at.split("/")[0] in parts}
        schedules = {}
        for rank, factor in factors.items():
            part = rank.split("/")[0]
            schedules[rank] = self._schedule(self.total - first, factor, thaw[part] - first, part not in constant)
        with self.strategy.scope():
            return optimizers.build_optimizer(self.config, self._schedule(self.total - first), schedules, parts)

    def _thaw(self, name: str) -> int:
        return next((s for s in range(self.total) if name not in self.method.frozen(s)), self.total)

    def _function(self, frozen: frozenset, count: int):
        """`count` steps on a batch, or, of more than one, on as many stacked."""
        if (frozen, count) not in self._functions:
            parts = self.method.parts()
            for name, part in parts.items():
                if isinstance(part, keras.Layer):  # a variable stays what it was made as: state, or what learns
                    part.trainable = name not in frozen
            variables = {name: [] for name in self.optimizers}
            for name in (name for name in parts if name not in frozen):
                side = "adversary_optimizer" if name in self.method.adversaries else "optimizer"
                variables[side] += _trainable(parts[name])
            steps = self._distributed if count == 1 else functools.partial(self._steps, count=count)
            self._functions[frozen, count] = tf.function(lambda batch: steps(batch, variables))
        return self._functions[frozen, count]

    def _steps(self, batches, variables, count: int):
        """As many steps one after the other, and what each measured, `[count]`."""
        names: list[str] = []

        def step(i, seen):
            logs = self._distributed(batches, variables, i)
            names[:] = logs
            return i + 1, seen.write(i, tf.stack(list(logs.values())))

        start = tf.constant(0), tf.TensorArray(tf.float32, count)
        _, seen = tf.while_loop(lambda i, _: i < count, step, start, parallel_iterations=1)
        return dict(zip(names, tf.unstack(seen.stack(), len(names), axis=1)))

    def _distributed(self, batch, variables, i=None):
        logs = self.strategy.run(self._replica_step, args=(batch, variables, i))
        return {name: self.strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    def _replica_step(self, batch, variables, i):
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

    def _accumulated(self, batch, variables):
        """Means over the parts of a batch that go through the network one after the other, to save memory."""
        count = self.config.accumulate
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

    def _gradients(self, batch, variables):
        """What a batch, or a part of it, measures, and its part of the gradients of each side's scaled loss."""
        with tf.GradientTape(persistent=len(self.optimizers) > 1) as tape:
            logs = {name: tf.cast(value, tf.float32) for name, value in self.method.loss(batch, training=True).items()}
            penalties = [loss for part in self.method.parts().values() for loss in getattr(part, "losses", [])]
            if penalties:
                logs["penalty"] = tf.add_n([tf.cast(penalty, tf.float32) for penalty in penalties])
            losses = logs["loss"] + logs.get("penalty", 0.0), logs.get("adversary_loss")
            share = self.strategy.num_replicas_in_sync * self.config.accumulate
            sides = zip(self.optimizers.items(), losses)
            scaled = {name: optimizer.scale_loss(loss) / share for (name, optimizer), loss in sides}
        return logs, [g for name, loss in scaled.items() for g in tape.gradient(loss, variables[name])]

    def _distribute(self, batches: list[dict[str, np.ndarray]]):
        """This process's batch on its devices, each replica its part of the rows; more than one are stacked."""
        rows = 0 if len(batches) == 1 else 1
        batch = batches[0] if rows == 0 else {name: np.stack([b[name] for b in batches]) for name in batches[0]}
        replicas = self.strategy.num_replicas_in_sync // self.rank.workers
        if self.strategy.num_replicas_in_sync == 1:
            return {name: tf.constant(array) for name, array in batch.items()}
        return {
            name: self.strategy.experimental_distribute_values_from_function(
                lambda context, parts=parts: tf.constant(parts[context.replica_id_in_sync_group % replicas])
            )
            for name, parts in ((name, np.split(array, replicas, rows)) for name, array in batch.items())
        }

    # the loop

    def fit(self) -> dict[str, float]:
        """Trains to the last step and returns the last round's figures.

        Raises Interrupted after Ctrl-C or SIGTERM, when all is saved, and TrainingFailed where a loss is not finite, a
        batch does not fit in memory, a file cannot be written, the loader has no more batches (all is saved then) or
        another worker is gone.
        """
        try:
            with signals.catch_signals() as seen:
                self._fit(seen)
        except NotWritten as error:
            raise TrainingFailed(f"{error}; {self._kept()}: make room, and --resume goes on") from None
        except tf.errors.ResourceExhaustedError:
            what = f"batches of {self.config.batch_size} do not fit in memory"
            raise TrainingFailed(f"{what}; {self._kept()}: lower batch_size, or raise accumulate") from None
        except LOST as error:
            if self.rank.workers == 1:
                raise
            why = str(error).splitlines()[0]
            raise TrainingFailed(f"another worker is gone ({why}): start all of them again with --resume") from None
        return self.logs

    def _fit(self, seen: list[int]) -> None:
        """The loop. seen: where signals that ask for a stop are noted."""
        callbacks = keras.callbacks.CallbackList(self.callbacks, model=self.model, epochs=-(-self.total // self.round))
        callbacks.on_train_begin()
        if stop := self._stop(seen, False):
            raise Interrupted(f"stopped at step {self.step} of {self.total}: nothing was new", stop)
        progress = bar(
            total=self.total * self.config.batch_size,
            initial=self.step * self.config.batch_size,
            unit="img",
            unit_scale=True,
            desc=f"step {self.step}/{self.total}",
            mininterval=1.0,
            disable=not self.rank.chief,
        )
        with progress:
            while self.step < self.total and not self.model.stop_training:
                if self.step % self.round == 0:
                    callbacks.on_epoch_begin(self.step // self.round)
                before = self.step
                for row in self._execute():
                    callbacks.on_train_batch_begin(self.step)
                    self.pending.append(row)
                    self.step += 1
                    callbacks.on_train_batch_end(self.step - 1, row)
                self._position = self.loader.get_state()
                tenth = self.step // 10 > before // 10
                end = self.step % self.round == 0 or self.step == self.total
                stop = self._stop(seen, end or tenth)
                save = end or stop or self.step % self._every == 0
                if save or tenth:
                    loss = self._check(max(10, self.step - before))
                    progress.set_description(f"step {self.step}/{self.total}, loss {loss:.3f}", refresh=False)
                progress.update((self.step - before) * self.config.batch_size)
                if end:
                    self.logs, self.pending = self._mean(), []
                    callbacks.on_epoch_end((self.step - 1) // self.round, self.logs)
                if save:
                    self.save()
                    if stop:
                        raise Interrupted(f"stopped at step {self.step} of {self.total} and saved", stop)
                if end and self.rank.workers > 1:
                    (self.model.stop_training,) = self.agreement.any(self.model.stop_training)
        callbacks.on_train_end(self.logs)
        if self.rank.workers > 1:
            self.agreement.any(True)  # nobody leaves while the chief still draws

    def _execute(self) -> list[dict]:
        """The next steps, as many as go to the devices at once, and what each measured."""
        frozen, ends = self.method.frozen(self.step), (self.round, self._every, self.total)
        count = min(self.config.steps_per_execution, *(end - self.step % end for end in ends))
        while self.method.phase(self.step + count - 1) != self.method.phase(self.step):
            count -= 1
        batches = self._take(count)
        if self.method.relabels(self.step):
            self.method.relabel(in_order(self.loader.records, self.config.batch_size))
        if count == 1:
            return [self._function(frozen, 1)(self._distribute(batches))]
        logs = self._function(frozen, count)(self._distribute(batches))
        return [dict(zip(logs, values)) for values in zip(*(value.numpy() for value in logs.values()))]

    def _take(self, count: int) -> list[dict[str, np.ndarray]]:
        """The next batches; all is saved where there are none."""
        try:
            return [next(self.loader) for _ in range(count)]
        except (LoaderFailed, UserError) as error:
            if isinstance(error, UserError) and not self.step:
                raise
            if self.pending:
                self._check(len(self.pending))
            if self.step:
                self.save()
            raise TrainingFailed(f"{error}; {self._kept()}: --resume goes on") from error

    def _stop(self, seen: list[int], ask: bool) -> int:
        """The number of the signal to stop for, or 0. Workers ask each other, every ten steps, and stop together."""
        if self.rank.workers == 1:
            return seen[0] if seen else 0
        if not ask:
            return 0
        told = self.agreement.any(*(number in seen for number in signals.NUMBERS))
        return next((number for number, is_told in zip(signals.NUMBERS, told) if is_told), 0)

    def _mean(self) -> dict[str, float]:
        logs = {name: float(np.mean([row[name] for row in self.pending])) for name in self.pending[0]}
        epoch = self.step / self.loader.steps_per_epoch
        rate = optimizers.learning_rate_at(self.schedule, self.step - 1)
        return {"step": self.step, "passes": round(epoch, 3), **logs, "learning_rate": rate}

    def _check(self, count: int) -> float:
        """Makes numbers of what the last steps measured and returns the last loss.

        Raises TrainingFailed at the first that is not finite.
        """
        recent = self.pending[-count:]
        for step, row in enumerate(recent, self.step - len(recent) + 1):
            row.update({name: float(value) for name, value in row.items()})
            bad = [name for name, value in row.items() if not np.isfinite(value)]
            if bad:
                raise TrainingFailed(self._diagnosis(step, bad, row))
        return recent[-1]["loss"]

    def _diagnosis(self, step: int, bad: list[str], row: dict[str, float]) -> str:
        if self.method.infinite and all(row[name] == np.inf for name in bad):
            what = " and ".join(bad)
            return f"{what} is infinite at step {step} of {self.total}: {self.method.infinite}; {self._kept()}"
        broken = [
            name
            for name, variable in checkpoints.names(self.method.parts()).items()
            if not np.all(np.isfinite(np.asarray(variable.numpy(), np.float64)))
        ]
        where = (
            f"{len(broken)} weights are not finite, the first is {broken[0]}" if broken else "all weights are finite"
        )
        return (
            f"{' and '.join(bad)} is not a finite number at step {step} of {self.total} "
            f"(learning rate {optimizers.learning_rate_at(self.schedule, step - 1):.2g}, {where}); "
            f"{self._kept()}: lower learning_rate, lengthen warmup, or set precision=float32"
        )

    def _kept(self) -> str:
        return f"{self.last} is still good" if self.last else "no checkpoint was written yet"

    # what is kept

    def parts(self) -> dict:
        """What a checkpoint holds by name: the parts of the method and the optimizers."""
        return {**self.method.parts(), **self.optimizers}

    def state(self) -> dict:
        stateful = {type(c).__name__: c.get_state() for c in self.callbacks if hasattr(c, "get_state")}
        own = {"step": self.step, "pending": self.pending, "logs": self.logs, "result": self._result()}
        return {**own, "loader": self._position, "callbacks": stateful, "facts": self._facts}

    @functools.cached_property
    def _facts(self) -> dict:
        return self.run.facts()

    def _result(self) -> dict[str, str]:
        """By the name of a variable that of its copy, where copies are the run's result."""
        result = self.method.result()
        if result is None:
            return {}
        name_of = {id(variable): name for name, variable in checkpoints.names(self.method.parts()).items()}
        return {name_of[id(variable)]: name_of[id(copy)] for copy, variable in result.pairs()}

    def save(self, name: str | None = None) -> None:
        """Writes a checkpoint: that of the step, upon which the oldest is dropped, or one with a name."""
        if not self.rank.chief:
            return
        path = self.run.checkpoints / f"{name or f'step-{self.step:08d}'}.npz"
        arrays = checkpoints.snapshot(self.parts())
        broken = checkpoints.not_finite(arrays)
        if broken:
            raise TrainingFailed(self._diagnosis(self.step, broken[:1], {broken[0]: np.nan}))
        checkpoints.save(path, arrays, self.state())
        if name is None:
            self.last = path
            checkpoints.prune(path, KEEP)

    def resume(self) -> None:
        """Goes on from the newest checkpoint of the run, or starts where it was ended before there was one."""
        newest = checkpoints.load_newest(self.run.checkpoints)
        if newest is None:
            return
        self.last, arrays, state = newest
        self.run.check_own(self.last, state)
        checkpoints.restore(self.parts(), arrays, self.last)
        self.step, self.pending, self.logs = state["step"], state.get("pending", []), state.get("logs", {})
        self.loader.set_state(state["loader"])
        self._position = state["loader"]
        for callback in self.callbacks:
            if type(callback).__name__ in state["callbacks"]:  # one that is new to the run starts from nothing
                self._set_state(callback, state["callbacks"][type(callback).__name__])

    def _set_state(self, callback, state) -> None:
        try:
            callback.set_state(state)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            name = type(callback).__name__
            raise checkpoints.Damaged(self.last, f"its state of {name}: {error!r}") from None


class _Parts(keras.Model):
    """What Keras callbacks want to hold: a model with the method's parts, its optimizer and `stop_training`."""

    def __init__(self, parts: dict):
        super().__init__(name="parts")
        for name, part in parts.items():
            setattr(self, name, part)
        self.built = True
        self.stop_training = False


def _trainable(part) -> list:
    if isinstance(part, keras.Variable):
        return [part] if part.trainable else []
    return part.trainable_variables
