"""Methods that learn to read: CTC, generated images, labels.

A new method is a module here, imported below so that it is registered.
"""

from seqclr.methods.text import (  # noqa: F401
    classifier,
    generated,
    generated_simclr,
    masked_simclr,
)
