"""Writes a graph as ONNX."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from seqclr.export.graph import Graph
from seqclr.extras import required

OPSET = 18


def write(graph: Graph, file: Path, int8: bool = False) -> None:
    """Writes a graph for any number of images, with its hidden tensors, which `sessions.OnnxSession` can read.

    int8: the weights of matrix products are of 8 bits, and their inputs are quantized at each call. Convolutions stay
    in float32: on a CPU they would be slower. Weights are unsigned: sums of products of signed ones with the
    unsigned inputs overflow on x86 without VNNI instructions (onnxruntime's documentation of quantization).
    """
    with required("ONNX export"):
        import tf2onnx
        from onnxruntime import quantization

    spec = graph.signature()
    with _quiet():
        function = tf.function(graph.with_hidden, input_signature=spec)
        model, _ = tf2onnx.convert.from_function(function, spec, opset=OPSET)
        for value in [each for each in model.graph.output if each.name in graph.hidden]:
            model.graph.output.remove(value)
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
        if int8:
            weights = {"weight_type": quantization.QuantType.QUInt8, "per_channel": True}
            quantization.quantize_dynamic(model, file, op_types_to_quantize=["MatMul"], **weights)
        else:
            file.write_bytes(model.SerializeToString())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Turns log lines off: both packages write some that users cannot act on, and the export is checked in any case."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
