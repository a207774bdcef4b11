"""Pretext tasks: prediction of properties of an image that need no annotation.

A new method is a module here, imported below so that it is registered.
"""

from seqclr.methods.pretext import (  # noqa: F401
    colorization,
    context_prediction,
    counting,
    exemplar,
    jigsaw,
    odd_one_out,
    order_verification,
    rotation,
    split_brain,
)
