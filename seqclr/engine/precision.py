"""The numeric precision of a training, chosen by the processor."""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf

from seqclr.errors import UserError

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


def set_precision(precision: str) -> str:
    """Sets Keras' dtype policy for layers built afterwards, and returns its name. UserError for an unknown name."""
    if precision not in PRECISIONS:
        raise UserError(f"precision '{precision}' is not known: {', '.join(PRECISIONS)}")
    policy = best_precision() if precision == "auto" else precision
    keras.mixed_precision.set_global_policy(policy)
    return policy


def best_precision() -> str:
    """The fastest policy that the GPUs or else the CPU support in hardware."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = min(
            tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus
        )
        return "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16" if capability >= (7, 0) else "float32"
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "float32"
    return "mixed_bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"
