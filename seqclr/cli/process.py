"""Settings of the whole process, which a program makes before TensorFlow is imported."""

from __future__ import annotations

import logging
import os

from seqclr.engine import signals


def set_up() -> None:
    """What a program sets for its whole process, before TensorFlow is imported."""
    # Said by every process that imports grain or TensorFlow, and nothing that a user could act on.
    logging.getLogger("absl").setLevel(logging.ERROR)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Up to 1.4 times as fast on processors where TensorFlow would leave it off: those without instructions for networks
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def import_tensorflow() -> None:
    """Imports it with stderr closed: it greets every process without a GPU with a page of its C++ log."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with signals.leaving(kept):
            import tensorflow

            tensorflow.config.list_physical_devices()
            tensorflow.get_logger().setLevel("ERROR")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
