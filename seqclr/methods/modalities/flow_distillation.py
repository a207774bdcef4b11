"""Distillation from optical flow."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.methods.modalities.base import PAPER, ModalityDistillation
from seqclr.methods.registry import register
from seqclr.transforms.modalities import FramesAndFlow


@register("flow_distillation", paper=PAPER)
@dataclass
class FlowDistillation(ModalityDistillation):
    """Distillation from a network of optical flow (Piergiovanni et al. 2020, arXiv:2002.12177).

    The flow to the next frame is computed by OpenCV (Farnebäck) in the workers. Its network learns by a contrast in
    time: the flows at two times of a sequence are positives. The encoder of colour frames predicts its embedding
    through a linear layer.
    """

    transform = FramesAndFlow
