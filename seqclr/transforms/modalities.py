"""Colour frames of a sequence and another modality at the same times. Host side: never imports TensorFlow.

The record is one of data/sequences.py. Every modality is an image, `uint8 [h, w, C]`.
"""

from __future__ import annotations

import abc

import cv2
import numpy as np

from seqclr.data import sound
from seqclr.data.sequences import Frames
from seqclr.transforms.apply import others_of
from seqclr.transforms.order import same_view
from seqclr.transforms.views import single

FLOW_UNIT = 16  # levels of a byte for a pixel of flow


class FramesAndModality(abc.ABC):
    """Two frames of a sequence, `views: uint8 [2, H, W, 3]`, and a modality at their times, `modality: uint8
    [2, h, w, C]`.

    views: augmentation, the same for both frames. The modality is that of the frames without it.
    """

    shortest = 3  # frames that a sequence needs
    modality: str
    channels: int  # of the modality

    def __init__(self, views: str):
        self.views = single(views)

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        frames = record["frames"]
        times = rng.choice(len(frames) - 1, 2, replace=False)  # the flow of the last frame would lead nowhere
        return {
            "views": same_view(self.views, [frames[time] for time in times], rng, others_of(record)),
            "modality": np.stack([self.image(frames, int(time)) for time in times]),
            "index": record["index"],
        }

    @abc.abstractmethod
    def image(self, frames: Frames, time: int) -> np.ndarray:
        """The modality at the time of a frame."""


class FramesAndGray(FramesAndModality):
    """The luminance of the frame, `[H, W, 1]`."""

    modality, channels = "gray", 1

    def image(self, frames, time):
        return gray(frames[time])[..., None]


class FramesAndFlow(FramesAndModality):
    """The optical flow to the next frame, as `optical_flow`."""

    modality, channels = "flow", 3

    def image(self, frames, time):
        return optical_flow(frames[time], frames[time + 1])


class FramesAndSound(FramesAndModality):
    """The log-mel spectrogram of the sound around the time of the frame, `[BANDS, T, 1]`, the highest band first.

    The whole sound is spread evenly over the frames: its middle is at the middle of the sequence. A byte of 0 is -80 dB
    or less, one of 255 is 0 dB or more. seconds: length of the window.
    """

    modality, channels = "sound", 1

    def __init__(self, views: str, seconds: float):
        super().__init__(views)
        self.seconds = seconds

    def image(self, frames, time):
        samples, rate = sound.read(sound.beside(frames.path), (time + 0.5) / len(frames), self.seconds)
        shares = 1 - sound.log_mel(samples, rate, self.seconds)[::-1, :, None] / sound.FLOOR
        return np.rint(255 * shares.clip(0, 1)).astype(np.uint8)


def gray(frame: np.ndarray) -> np.ndarray:
    """The luminance of `uint8 [H, W, 3]`, `uint8 [H, W]`."""
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def optical_flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The optical flow between frames, `uint8 [H, W, 3]`: its parts to the right and downward, and its length.

    A level is a sixteenth of a pixel; 128 is no motion of a part, 0 no length. More than 8 pixels are cut off.
    Farnebäck 2003, Two-frame motion estimation based on polynomial expansion.
    """
    flow = cv2.calcOpticalFlowFarneback(gray(first), gray(second), None, 0.5, 3, 9, 3, 5, 1.1, 0)
    length = np.linalg.norm(flow, axis=-1, keepdims=True)
    levels = np.concatenate([128 + FLOW_UNIT * flow, FLOW_UNIT * length], axis=-1)
    return np.rint(levels).clip(0, 255).astype(np.uint8)
