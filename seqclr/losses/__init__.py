"""Losses as pure functions of tensors. They compute in float32 for inputs of any type and return a scalar."""

from seqclr.losses.adversarial import least_squares
from seqclr.losses.clustering import sinkhorn, swav
from seqclr.losses.contrastive import clip, cpc, info_nce, n_pair, nt_xent, sup_con
from seqclr.losses.distillation import dino
from seqclr.losses.keys import curl, info_nce_queue, moco_v3, nnclr, patch_nce, relational
from seqclr.losses.memory import nce
from seqclr.losses.metric import align, margin_contrastive, triplet, uniform
from seqclr.losses.pixels import pix_contrast, pix_pro
from seqclr.losses.reconstruction import masked_reconstruction
from seqclr.losses.redundancy import barlow_twins, vicreg, w_mse
from seqclr.losses.similarity import byol, negative_cosine
from seqclr.losses.variants import debiased, flat_nce, hard_negative, inva_spread

__all__ = [
    "align",
    "barlow_twins",
    "byol",
    "clip",
    "cpc",
    "curl",
    "debiased",
    "dino",
    "flat_nce",
    "hard_negative",
    "info_nce",
    "info_nce_queue",
    "inva_spread",
    "least_squares",
    "margin_contrastive",
    "masked_reconstruction",
    "moco_v3",
    "n_pair",
    "nce",
    "negative_cosine",
    "nnclr",
    "nt_xent",
    "patch_nce",
    "pix_contrast",
    "pix_pro",
    "relational",
    "sinkhorn",
    "sup_con",
    "swav",
    "triplet",
    "uniform",
    "vicreg",
    "w_mse",
]
