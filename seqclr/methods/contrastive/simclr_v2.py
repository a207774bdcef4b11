"""SimCLR on frames, the second version."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.config import DEEPEST, key
from seqclr.methods.contrastive.pair_losses import PAIR_LOSSES
from seqclr.methods.contrastive.simclr import SimCLR
from seqclr.methods.registry import register


@register("simclr_v2", paper="Chen et al. 2020, arXiv:2006.10029")
@dataclass
class SimCLRV2(SimCLR):
    """Chen et al. 2020, arXiv:2006.10029: a deeper head, whose first layer stays (`finetune keep_head=1`); what was
    fine-tuned then teaches a student with images that have no labels (`finetune distill=RUN`).
    """

    loss_name: str = key("nt_xent", "a loss of pairs, as of simclr", choices=tuple(sorted(PAIR_LOSSES)))
    projection_layers: int = key(3, "how deep the head is", least=1, most=DEEPEST)
    output_norm: bool = key(True, "batch norm without offset ends the head, as in the authors' code")
