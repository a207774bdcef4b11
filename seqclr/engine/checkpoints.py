"""Checkpoint files: the variables by name and the state of the run, in one file per checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqclr import files
from seqclr.errors import UserError
from seqclr.messages import warn

STATE = "state.json"


def save(path: Path, variables: dict[str, np.ndarray], state: dict) -> None:
    """Writes arrays by name and a state of JSON types, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic_write(path, binary=True) as stream:
        np.savez(stream, **variables, **{STATE: np.frombuffer(json.dumps(state).encode(), np.uint8)})


class Damaged(UserError):
    """An invalid checkpoint file. reason: why it is invalid."""

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{path} is damaged or not a checkpoint ({reason}): remove it, and an older one is used")
        self.reason = reason


def load(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """The arrays and state that `save` wrote. Raises Damaged where a checksum, the state or a number is invalid.

    Arrays in half precision, as of the readers in the package, are returned in single precision.
    """
    try:
        with np.load(path) as archive:
            arrays = {name: single(archive[name]) for name in archive.files}
        state = json.loads(arrays.pop(STATE).tobytes())
    except Exception as error:  # damaged archives raise many types of errors
        raise Damaged(path, " ".join(str(error).split()) or type(error).__name__) from None
    reason = _fault(arrays, state)
    if reason:
        raise Damaged(path, reason)
    return arrays, state


def single(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _fault(arrays: dict[str, np.ndarray], state: Any) -> str | None:
    kinds = {"step": int, "loader": dict, "callbacks": dict}
    for name, kind in kinds.items():
        if not isinstance(state, dict) or not isinstance(state.get(name), kind):
            return f"its state has no {name}"
    if state["step"] < 0:
        return f"its step is {state['step']}"
    lost = [name for pair in state.get("result", {}).items() for name in pair if name not in arrays]
    if lost:
        return f"it has no {lost[0]}"
    broken = not_finite(arrays)
    return f"{broken[0]} is not finite" if broken else None


def not_finite(arrays: dict[str, np.ndarray]) -> list[str]:
    """The names of arrays with infinite or NaN values."""
    return [name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]


def load_newest(folder: Path) -> tuple[Path, dict[str, np.ndarray], dict] | None:
    """The path, arrays and state of the newest valid checkpoint; None if there is no checkpoint.

    Damaged newer checkpoints are named in a warning. Raises UserError if all are damaged, or only `best.npz` is left,
    which training from the first step would overwrite.
    """
    damaged: list[tuple[Path, str]] = []
    for path in reversed(steps(folder)):
        try:
            loaded = load(path)
        except Damaged as error:
            damaged.append((path, error.reason))
            continue
        for other, reason in damaged:
            warn(f"{other} is damaged ({reason}): {path} is used instead")
        return path, *loaded
    if damaged:
        named = ", ".join(str(path) for path, _ in damaged)
        raise UserError(f"all checkpoints are damaged ({named}): remove them, and --resume starts from the first step")
    if (best := folder / "best.npz").exists():
        raise UserError(
            f"{folder} has no step-*.npz to resume from, and training from the first step would replace {best}: "
            f"restore the step files, or choose another --output with --pretrained {folder.parent} (pretrain: --init)"
        )
    return None


def names(parts: dict) -> dict[str, object]:
    """The variables of a run's parts (layers, variables, optimizers), by unique and stable names."""
    named: dict[str, object] = {}
    for part, value in parts.items():
        variables = value.variables if hasattr(value, "variables") else [value]
        for number, variable in enumerate(variables):
            path = variable.path.split("/", 1)[-1] if part.endswith("optimizer") else variable.path
            named[f"{part}/{number:03d}/{path}"] = variable
    return named


def snapshot(parts: dict) -> dict[str, np.ndarray]:
    return {name: np.asarray(variable.numpy()) for name, variable in names(parts).items()}


def restore(parts: dict, arrays: dict[str, np.ndarray], origin: Path) -> None:
    """Sets all variables of the parts. Raises UserError, before any is set, if names, shapes or types differ."""
    wanted = {_key(name): variable for name, variable in names(parts).items()}
    held = {_key(name): array for name, array in arrays.items() if name.split("/")[0] in parts}
    for name, variable in wanted.items():
        if name not in held or held[name].shape != tuple(variable.shape):
            has = f"the shape {held[name].shape}" if name in held else "nothing"
            raise UserError(
                f"{origin} is of another architecture: for {'/'.join(map(str, name))} it has {has}, "
                f"expected is {tuple(variable.shape)}; use the same encoder, height, width, positions and head"
            )
        dtype = keras.backend.standardize_dtype(variable.dtype)
        if held[name].dtype != dtype:
            raise UserError(
                f"{origin} was not written by seqclr: {'/'.join(map(str, name))} is of {held[name].dtype}, not {dtype}"
            )
    if len(held) != len(wanted):
        extra = next(name for name in held if name not in wanted)
        raise UserError(f"{origin} is of another architecture: it also has {'/'.join(map(str, extra))}")
    for name, variable in wanted.items():
        variable.assign(held[name])


def _key(name: str) -> tuple[str, str]:
    """The part and the number of a variable in it; the rest of the name may differ between processes."""
    part, number, _ = name.split("/", 2)
    return part, number


def steps(folder: Path) -> list[Path]:
    """The checkpoints by step, oldest first."""
    return sorted(folder.glob("step-*.npz"))


def prune(newest: Path, keep: int) -> None:
    """Removes all but the last `keep` checkpoints up to `newest`, and those of later steps, which will be repeated."""
    found = steps(newest.parent)
    end = found.index(newest) + 1
    for path in [*found[:end][:-keep], *found[end:]]:
        path.unlink()
