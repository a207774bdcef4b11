"""Losses as pure functions of tensors; computed in float32 whatever comes in, one scalar comes out."""

from seqclr.losses.contrastive import clip, cpc, info_nce, n_pair, nt_xent
from seqclr.losses.keys import curl, info_nce_queue, moco_v3, patch_nce
from seqclr.losses.similarity import byol, negative_cosine
from seqclr.losses.variants import debiased, flat_nce, hard_negative, inva_spread

__all__ = [
    "byol",
    "clip",
    "cpc",
    "curl",
    "debiased",
    "flat_nce",
    "hard_negative",
    "info_nce",
    "info_nce_queue",
    "inva_spread",
    "moco_v3",
    "n_pair",
    "negative_cosine",
    "nt_xent",
    "patch_nce",
]
