"""Losses as pure functions of tensors; computed in float32 whatever comes in, one scalar comes out."""

from seqclr.losses.contrastive import info_nce, nt_xent
from seqclr.losses.similarity import negative_cosine

__all__ = ["info_nce", "negative_cosine", "nt_xent"]
