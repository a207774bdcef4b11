"""Self-supervised pretraining for text recognition, on TensorFlow and Keras 3."""

__version__ = "0.1.0"

import logging
import os

# Said by every process that imports grain or TensorFlow, and nothing that a user could act on.
logging.getLogger("absl").setLevel(logging.ERROR)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Up to 1.4 times as fast on processors where TensorFlow would leave it off: those without instructions for networks.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
