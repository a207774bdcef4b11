"""Runs the graph of an export: resized pixels in, the outputs by name out.

Both runtimes use one thread: a second one saves a seventh of the time of an image, and takes another core.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from seqclr.errors import UserError, printable
from seqclr.extras import required

FEATURES = "features"  # the tensor of a graph with the features of its encoder, `float32 [B, T, D]`


class Session(Protocol):
    def predict(self, pixels: np.ndarray, widths: np.ndarray | None = None) -> dict[str, np.ndarray]: ...


class OnnxSession:
    """A model.onnx, by onnxruntime. Raises UserError where it cannot be loaded.

    hidden: a tensor of the graph that is an output too here; loading fails where the graph does not have it.
    """

    def __init__(self, file: Path, hidden: str | None = None):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # it keeps the memory of the largest batch
        options.log_severity_level = 4  # failures are exceptions
        try:
            model = str(file) if hidden is None else with_output(Path(file).read_bytes(), hidden)
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of many types
            raise _not_loaded(file, "onnxruntime", error) from None
        self._inputs = {each.name for each in self._session.get_inputs()}
        self._outputs = [each.name for each in self._session.get_outputs()]

    def predict(self, pixels: np.ndarray, widths: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """The outputs of the graph by name.

        pixels: `uint8 [B, height, width, 3]`. widths: `int32 [B]`, image columns, for a graph that takes them.
        """
        _check_batch(pixels)
        given = {"pixels": pixels, "widths": widths}
        rows = self._session.run(self._outputs, {name: given[name] for name in self._inputs})
        return dict(zip(self._outputs, rows))


def with_output(model: bytes, name: str) -> bytes:
    """An ONNX model whose graph has one of its tensors as another output.

    In Protocol Buffers, a message that is appended to another one of its type is merged into it, and the elements of
    its repeated fields are added to those of the first (protobuf.dev, Encoding). So the package `onnx` is not needed.
    """

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content  # short enough for a length of one byte

    graph, output, its_name = 7, 12, 1  # of ModelProto, GraphProto and ValueInfoProto
    return model + field(graph, field(output, field(its_name, name.encode())))


class LiteRTSession:
    """A model.tflite, by ai-edge-litert. Raises UserError where it cannot be loaded."""

    def __init__(self, file: Path):
        with required(f"{file}"):
            from ai_edge_litert.interpreter import Interpreter
        try:
            self._interpreter = Interpreter(model_content=Path(file).read_bytes(), num_threads=1)
            self._run = self._interpreter.get_signature_runner()
        except Exception as error:  # of many types
            raise _not_loaded(file, "ai-edge-litert", error) from None
        details = self._run.get_input_details()
        self._inputs = set(details)
        self._batch = int(details["pixels"]["shape_signature"][0])  # -1: any

    def predict(self, pixels: np.ndarray, widths: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """As of `OnnxSession`. A graph for one image runs once for each."""
        _check_batch(pixels)
        given = {"pixels": pixels, "widths": widths}
        given = {name: given[name] for name in self._inputs}
        size = len(pixels) if self._batch < 1 else self._batch
        parts = [
            self._run(**{name: values[start : start + size] for name, values in given.items()})
            for start in range(0, len(pixels), size)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


SESSIONS = {"onnx": OnnxSession, "litert": LiteRTSession}


def _check_batch(pixels: np.ndarray) -> None:
    if not len(pixels):
        raise UserError("the batch is empty: give at least one image")


def _not_loaded(file: Path, runtime: str, error: Exception) -> UserError:
    reason = printable(next(iter(str(error).splitlines()), "") or type(error).__name__)
    return UserError(f"{file} cannot be loaded by {runtime} ({reason:.200}): export it again")
