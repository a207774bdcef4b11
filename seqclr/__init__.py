"""Self-supervised pretraining for text recognition, on TensorFlow and Keras 3."""

__version__ = "0.1.0"

import logging
import os

# Said by every process that imports grain or TensorFlow, and nothing that a user could act on.
logging.getLogger("absl").setLevel(logging.ERROR)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Worker processes that end with batches still on their way: Python frees these, and would say so.
os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
