"""The one training loop: any method, on one device or many, from the command line or from Python."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from seqclr import config as configuration
from seqclr.data.loader import InOrder
from seqclr.data.workers import LoaderFailed
from seqclr.engine import checkpoints, optimizers, signals
from seqclr.engine.checkpoint_manager import CheckpointManager
from seqclr.engine.distribution import LOST, SINGLE, Agreement, Rank
from seqclr.engine.optimizers import OptimizerSettings
from seqclr.engine.run import Run
from seqclr.engine.step import TrainStep
from seqclr.errors import UserError
from seqclr.files import NotWritten
from seqclr.messages import bar
from seqclr.methods.base import Method


class TrainingFailed(Exception):
    """The training failed although arguments and data were valid; the message says why."""


class Interrupted(Exception):
    """The signal `number` stopped the run, which was saved."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.number = number


class Trainer:
    """Trains a method on the batches of a loader for a number of steps.

    method: built, under `strategy.scope()`. loader: an iterator of batches with `get_state`, `set_state`,
    `steps_per_epoch`, and, for a method that relabels, `records`. config: a resolved configuration. run: the
    folder of checkpoints. callbacks: Keras callbacks; one with `get_state` and `set_state` is part of the checkpoint. A
    Keras epoch is a round here: one pass over the data, or several where a pass is short. rank: of this process among
    the workers; only the chief writes and runs callbacks.
    """

    def __init__(
        self, method: Method, loader, config, run: Run, strategy, callbacks: Sequence = (), rank: Rank = SINGLE
    ):
        self.method, self.loader, self.config, self.run, self.strategy = method, loader, config, run, strategy
        self.rank, self.agreement = rank, Agreement(strategy)
        self.total = method.run.total_steps
        self.round = min(self.total, max(loader.steps_per_epoch, -(-self.total // 40)))
        self._every = config.checkpoint_every or self.total  # steps between checkpoints within a round
        self.step, self._position = 0, loader.get_state()
        self.pending: list[dict] = []  # the logs of the steps of this round
        self.logs: dict[str, float] = {}  # the means of the last round
        self.model = _Parts(method.parts())
        settings = configuration.part(OptimizerSettings, config)
        with strategy.scope():
            self.optimizers = optimizers.make_optimizers(method, settings, self.total)
        self.model.optimizer = self.optimizers["optimizer"]
        self.schedule = optimizers.schedule_of(settings, self.total)
        self.callbacks = list(callbacks)
        self.train_step = TrainStep(method, self.optimizers, strategy, rank.workers, config.accumulate)
        self.checkpoints = CheckpointManager(run, method, self.optimizers, self.callbacks)

    def fit(self) -> dict[str, float]:
        """Trains to the last step and returns the means of the last round.

        Raises Interrupted after Ctrl-C or SIGTERM, once the run is saved, and TrainingFailed where a loss is not
        finite, a batch does not fit in memory, a file cannot be written, the loader fails (the run is saved first) or
        another worker is gone.
        """
        try:
            with signals.catch_signals() as seen:
                self._fit(seen)
        except NotWritten as error:
            raise TrainingFailed(f"{error}; {self._kept()}: free disk space, then continue with --resume") from None
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
        """The loop. seen: the numbers of the signals received so far."""
        callbacks = keras.callbacks.CallbackList(self.callbacks, model=self.model, epochs=-(-self.total // self.round))
        callbacks.on_train_begin()
        if stop := self._stop(seen, False):
            raise Interrupted(f"stopped at step {self.step} of {self.total}: no step since the last checkpoint", stop)
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
            self.agreement.any(True)  # workers wait for the chief, whose callbacks may still draw

    def _execute(self) -> list[dict]:
        """Takes the next steps, as many as one call of the devices takes, and returns their logs."""
        frozen, ends = self.method.frozen(self.step), (self.round, self._every, self.total)
        count = min(self.config.steps_per_execution, *(end - self.step % end for end in ends))
        while self.method.phase(self.step + count - 1) != self.method.phase(self.step):
            count -= 1
        batches = self._take(count)
        if self.method.relabels(self.step):
            self.method.relabel(InOrder(self.loader.records, self.config.batch_size))
        return self.train_step(batches, frozen)

    def _take(self, count: int) -> list[dict[str, np.ndarray]]:
        """The next batches. Where the loader fails, saves the run and raises TrainingFailed."""
        try:
            return [next(self.loader) for _ in range(count)]
        except (LoaderFailed, UserError) as error:
            if isinstance(error, UserError) and not self.step:
                raise
            if self.pending:
                self._check(len(self.pending))
            if self.step:
                self.save()
            raise TrainingFailed(f"{error}; {self._kept()}: continue with --resume") from error

    def _stop(self, seen: list[int], ask: bool) -> int:
        """The number of the signal to stop for, or 0. Workers agree on it every ten steps, to stop together."""
        if self.rank.workers == 1:
            return seen[0] if seen else 0
        if not ask:
            return 0
        received = self.agreement.any(*(number in seen for number in signals.NUMBERS))
        return next((number for number, any_received in zip(signals.NUMBERS, received) if any_received), 0)

    def _mean(self) -> dict[str, float]:
        logs = {name: float(np.mean([row[name] for row in self.pending])) for name in self.pending[0]}
        epoch = self.step / self.loader.steps_per_epoch
        rate = optimizers.learning_rate_at(self.schedule, self.step - 1)
        return {"step": self.step, "passes": round(epoch, 3), **logs, "learning_rate": rate}

    def _check(self, count: int) -> float:
        """Converts the logs of the last `count` steps to numbers and returns the last loss.

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
        last = self.checkpoints.last
        return f"{last} is still good" if last else "no checkpoint was written yet"

    def save(self, name: str | None = None) -> None:
        """Writes a checkpoint: that of the step, or one with a name. Only the chief does.

        Raises TrainingFailed where a variable is not finite.
        """
        if not self.rank.chief:
            return
        arrays = self.checkpoints.snapshot()
        broken = checkpoints.not_finite(arrays)
        if broken:
            raise TrainingFailed(self._diagnosis(self.step, broken[:1], {broken[0]: np.nan}))
        progress = {"step": self.step, "pending": self.pending, "logs": self.logs, "loader": self._position}
        self.checkpoints.write(arrays, progress, name)

    def resume(self) -> None:
        """Continues from the newest checkpoint of the run, or from the first step where there is none."""
        state = self.checkpoints.restore()
        if state is None:
            return
        self.step, self.pending, self.logs = state["step"], state.get("pending", []), state.get("logs", {})
        self.loader.set_state(state["loader"])
        self._position = state["loader"]


class _Parts(keras.Model):
    """The model that Keras callbacks receive: the method's parts, its optimizer and `stop_training`."""

    def __init__(self, parts: dict):
        super().__init__(name="parts")
        for name, part in parts.items():
            setattr(self, name, part)
        self.built = True
        self.stop_training = False
