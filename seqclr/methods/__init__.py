"""The methods of pretraining, in packages by family; importing a family registers its methods (registry.py).

The contract of a method is written in base.py.
"""

from seqclr.methods import (  # noqa: F401
    clustering,
    contrastive,
    distillation,
    modalities,
    pretext,
    reconstruction,
    redundancy,
    text,
    translation,
)
from seqclr.methods.facts import Facts
from seqclr.methods.registry import METHODS, find_method, register

__all__ = ["METHODS", "Facts", "find_method", "register"]
