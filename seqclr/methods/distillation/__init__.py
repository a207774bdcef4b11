"""Self-distillation: one network predicts another's output for a second view, without negatives.

A new method is a module here, imported below so that it is registered.
"""

from seqclr.methods.distillation import (  # noqa: F401
    byol,
    ccd,
    dino,
    pix_pro,
    simsiam,
)
