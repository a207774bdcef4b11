"""Distillation from sound."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.config import key
from seqclr.data import sound
from seqclr.errors import UserError
from seqclr.methods.modalities.base import PAPER, ModalityDistillation
from seqclr.methods.registry import register
from seqclr.transforms.modalities import FramesAndSound


@register("sound_distillation", paper=PAPER)
@dataclass
class SoundDistillation(ModalityDistillation):
    """Distillation from a network of sound (Piergiovanni et al. 2020, arXiv:2002.12177).

    The sound of `walk.gif` or of the frames in `walk/` is `walk.wav` beside it, WAV of 16-bit PCM; the whole sound is
    spread evenly over the frames. The network sees its log-mel spectrogram around the time of a frame, and learns by a
    contrast in time: two times of a sequence are positives. The encoder of colour frames predicts its embedding through
    a linear layer.
    """

    transform = FramesAndSound
    seconds: float = key(0.5, "length of the sound that is seen at a frame, in seconds", least=0.1, most=60)

    def make_transform(self, views):
        return FramesAndSound(views, self.seconds)

    def records(self, dataset):
        records = super().records(dataset)
        for sample, path in zip(records.samples, records.paths):
            if sample.store is not None:
                raise UserError(f"{sample.store} holds images without sound: give the folder that it was made of")
            sound.check(sound.beside(path), self.seconds)
        return records
