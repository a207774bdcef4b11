"""Writes a graph for LiteRT, formerly TensorFlow Lite."""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf

from seqclr.errors import UserError
from seqclr.export.graph import Graph
from seqclr.extras import required

KERAS = (3, 13)  # the first version that exports to LiteRT


def write(graph: Graph, file: Path, int8: bool = False) -> None:
    """Writes a graph for a single image: with any number of them, LiteRT plans its memory anew at every call.

    int8: all weights are of 8 bits, and the inputs of products are quantized at each call (dynamic range quantization).
    Keras' export is the only way that works: the converter alone writes a file without weights, and reports success.
    """
    with required("format litert"):  # which loads the file for the check
        import ai_edge_litert.interpreter  # noqa: F401
    if tuple(map(int, keras.__version__.split(".")[:2])) < KERAS:
        raise UserError(f"format litert needs Keras {'.'.join(map(str, KERAS))} or later: this is {keras.__version__}")
    quantization = {"optimizations": [tf.lite.Optimize.DEFAULT]} if int8 else {}
    builtins = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}  # the runtime has no others
    signature = graph.signature(batch=1)
    graph.export(file, "litert", verbose=False, input_signature=signature, target_spec=builtins, **quantization)
