"""Sequences of moving digits with sound, made from MNIST, and labelled frames of other ones for probes.

    python benchmarks/moving_digits.py --data img_mnist --output DATA --count 500

Writes DATA/clips, a folder of frames and a WAV file for each digit of split train that is drawn, and DATA/frames,
single frames with labels.csv (file,text,split): 100 per class of split train, and one for every digit of split test. A
digit of random colour moves over dark patches, and bounces at the edges. Its class decides the pitch of a chord with
beats; loudness, beats and noise are random. The classes of the clips have frequencies of 1 / rank (Zipf's law), as
evolution assumes; those of the frames of split test are those of MNIST.
"""

from __future__ import annotations

import argparse
import csv
import wave
from pathlib import Path

import numpy as np
from PIL import Image

from seqclr.data import images
from seqclr.data.discovery import find

SIDE, FRAMES = 24, 10
RATE, SECONDS = 8000, 1.0
CLASSES, PER_CLASS = 10, 100  # PER_CLASS: labelled frames of split train


def clip(digit: np.ndarray, rng: np.random.Generator) -> list[Image.Image]:
    """The frames of a digit, `uint8 [28, 28]`, that moves over a background."""
    size = int(rng.integers(14, 19))
    shape = np.asarray(Image.fromarray(digit).resize((size, size)), np.float32)[..., None] / 255
    patches = Image.fromarray(rng.integers(0, 50, (3, 3, 3)).astype(np.uint8))
    background = np.asarray(patches.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
    colour = rng.uniform(150, 255, 3)
    room, start, angle = SIDE - size, rng.uniform(0, SIDE - size, 2), rng.uniform(0, 2 * np.pi)
    step = rng.uniform(1, 2.5) * np.array([np.cos(angle), np.sin(angle)])
    frames = []
    for t in range(FRAMES):
        x, y = np.rint(room - np.abs((start + step * t) % (2 * room) - room)).astype(int)
        frame = background.copy()
        part = frame[y : y + size, x : x + size]
        part += shape * (colour - part)
        frames.append(Image.fromarray(frame.astype(np.uint8)))
    return frames


def chord(label: int, rng: np.random.Generator) -> np.ndarray:
    """The sound of a class, `int16 [SECONDS * RATE]`."""
    time = np.arange(int(SECONDS * RATE)) / RATE
    pitch = 200 * 2 ** (label / 4) * rng.uniform(0.98, 1.02)
    tones = sum(rng.uniform(0.3, 1) * np.sin(2 * np.pi * (k * pitch * time + rng.random())) for k in (1, 1.5, 2))
    beats = 0.6 + 0.4 * np.sin(2 * np.pi * (rng.uniform(1, 5) * time + rng.random()))
    sound = rng.uniform(0.05, 0.2) * tones * beats + rng.uniform(0.01, 0.1) * rng.normal(size=len(time))
    return np.rint(32767 * sound.clip(-1, 1)).astype("<i2")


def write_sound(file: Path, samples: np.ndarray) -> None:
    with wave.open(str(file), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(RATE)
        stream.writeframes(samples.tobytes())


def make(data: Path, output: Path, count: int) -> None:
    """Writes both folders."""
    digits: dict[str, list[np.ndarray]] = {}  # by split and class
    for sample in find([data]):
        part = "test" if sample.split == "test" else "train"
        digits.setdefault(f"{part} {sample.text}", []).append(images.decode(sample.read_bytes(), sample.name)[..., 0])
    clips, frames = output / "clips", output / "frames"
    for folder in (clips, frames):
        folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, CLASSES + 1)
    for i, label in enumerate(rng.choice(CLASSES, count, p=shares / shares.sum())):
        own = digits[f"train {label}"][PER_CLASS:]
        (clips / f"{i:05d}").mkdir()
        for t, frame in enumerate(clip(own[rng.integers(len(own))], rng)):
            frame.save(clips / f"{i:05d}" / f"{t}.png")
        write_sound(clips / f"{i:05d}.wav", chord(int(label), rng))
    with open(frames / "labels.csv", "w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["file", "text", "split"])
        for part, own in sorted(digits.items()):
            split, label = part.split()
            for i, digit in enumerate(own if split == "test" else own[:PER_CLASS]):
                name = f"{split}_{label}_{i}.png"
                clip(digit, rng)[rng.integers(FRAMES)].save(frames / name)
                table.writerow([name, label, split])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="MNIST, with labels.csv")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=500, help="number of clips")
    args = parser.parse_args()
    make(args.data, args.output, args.count)


if __name__ == "__main__":
    main()
