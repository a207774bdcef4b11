"""What a run writes into its checkpoints, and how it resumes from one."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqclr.engine import checkpoints
from seqclr.engine.run import Run
from seqclr.methods.base import Method

KEEP = 2  # checkpoints of the last steps


class CheckpointManager:
    """Writes and restores the checkpoints of a run: all variables, the state of callbacks, and the trainer's progress.

    callbacks: one with `get_state` and `set_state` is part of the checkpoint. last: the newest checkpoint of a step.
    """

    def __init__(self, run: Run, method: Method, optimizers: dict, callbacks: Sequence):
        self.run, self.method, self.optimizers, self.callbacks = run, method, optimizers, callbacks
        self.last: Path | None = None

    def parts(self) -> dict[str, Any]:
        """The parts of the method and the optimizers by name."""
        return {**self.method.parts(), **self.optimizers}

    def snapshot(self) -> dict[str, np.ndarray]:
        """The values of all variables by name."""
        return checkpoints.snapshot(self.parts())

    def write(self, arrays: dict[str, np.ndarray], progress: dict, name: str | None = None) -> None:
        """Writes a checkpoint: that of `progress["step"]`, after which the oldest is removed, or one with a name."""
        step = f"step-{progress['step']:08d}"
        path = self.run.checkpoints / f"{name or step}.npz"
        stateful = {type(c).__name__: c.get_state() for c in self.callbacks if hasattr(c, "get_state")}
        state = {**progress, "result": self._result(), "callbacks": stateful, "facts": self._facts}
        checkpoints.save(path, arrays, state)
        if name is None:
            self.last = path
            checkpoints.prune(path, KEEP)

    def restore(self) -> dict | None:
        """Sets all variables and callbacks from the newest checkpoint, and returns the progress; None without one.

        Raises UserError for a checkpoint of another run or architecture.
        """
        newest = checkpoints.load_newest(self.run.checkpoints)
        if newest is None:
            return None
        self.last, arrays, state = newest
        self.run.check_own(self.last, state)
        checkpoints.restore(self.parts(), arrays, self.last)
        for callback in self.callbacks:
            if type(callback).__name__ in state["callbacks"]:  # a callback that is new to the run has no state yet
                self._set_state(callback, state["callbacks"][type(callback).__name__])
        return state

    @functools.cached_property
    def _facts(self) -> dict:
        return self.run.facts()

    def _result(self) -> dict[str, str]:
        """The names of variables, and of their averages where these are the run's result."""
        result = self.method.result()
        if result is None:
            return {}
        name_of = {id(variable): name for name, variable in checkpoints.names(self.method.parts()).items()}
        return {name_of[id(variable)]: name_of[id(copy)] for copy, variable in result.pairs()}

    def _set_state(self, callback, state) -> None:
        try:
            callback.set_state(state)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            name = type(callback).__name__
            raise checkpoints.Damaged(self.last, f"its state of {name}: {error!r}") from None
