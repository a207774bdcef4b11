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
    """SimCLR with a deeper head (Chen et al. 2020, arXiv:2006.10029).

    Fine-tuning keeps the head's first layer (`finetune keep_head=1`), and the fine-tuned recognizer then teaches a
    student on images without labels (`finetune distill=RUN`).
    """

    loss_name: str = key("nt_xent", "loss of pairs, as of simclr", choices=tuple(sorted(PAIR_LOSSES)))
    projection_layers: int = key(3, "layers of the projection head", least=1, most=DEEPEST)
    output_norm: bool = key(True, "end the head with batch norm without offset, as in the authors' code")
