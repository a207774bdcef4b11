"""Distillation from gray frames."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.methods.modalities.base import PAPER, ModalityDistillation
from seqclr.methods.registry import register
from seqclr.transforms.modalities import FramesAndGray


@register("gray_distillation", paper=PAPER)
@dataclass
class GrayDistillation(ModalityDistillation):
    """Distillation from a network of gray frames, as of any modality in Piergiovanni et al. 2020, arXiv:2002.12177.

    That network learns by a contrast in time: two frames of a sequence are positives. The encoder of colour frames
    predicts its embedding through a linear layer.
    """

    transform = FramesAndGray
