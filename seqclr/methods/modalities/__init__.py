"""Distillation between modalities: the encoder of colour frames predicts what networks of other modalities embed.

A new method is a module here, imported below so that it is registered.
"""

from seqclr.methods.modalities import (  # noqa: F401
    flow_distillation,
    gray_distillation,
    sound_distillation,
)
