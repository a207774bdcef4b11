"""Methods that learn text recognition: CTC, generated images, classification by text, and texts
beside images.

A new method is a module here, imported below so that it is registered.
"""

from seqclr.methods.text import (  # noqa: F401
    character_clusters,
    classifier,
    clip,
    generated,
    generated_simclr,
    masked_simclr,
    pseudo_characters,
)
