"""Methods that keep the dimensions of the features varied and uncorrelated.

A new method is a module here, imported below so that it is registered.
"""

from seqclr.methods.redundancy import (  # noqa: F401
    barlow_twins,
    vicreg,
    w_mse,
)
