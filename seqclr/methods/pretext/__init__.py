"""Pretext tasks: properties of an image that it shows by itself are predicted.

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
