"""Contrastive methods: the two views of an instance are contrasted with negatives.

A new method is a module here, imported below so that it is registered.
"""

from seqclr.methods.contrastive import (  # noqa: F401
    cmc,
    cpc,
    curl,
    inst_disc,
    inva_spread,
    moco,
    moco_v3,
    nnclr,
    pix_contrast,
    rclstr,
    simclr,
    simclr_v2,
)
