"""Commands as tests give them: on small images, for a moment."""

import contextlib

from seqclr import cli

SIZES = ["height=16", "width=64", "encoder=least"]  # of tests.networks, see conftest.py
SMALL = ["--batch-size", "16", "--processes", "0", "--precision", "float32", "views=none", *SIZES]


@contextlib.contextmanager
def untraced():
    """A few steps are over before their graph would have been traced."""
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def run(*words: object) -> None:
    assert cli.main([str(word) for word in words]) == 0
