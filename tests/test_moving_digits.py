"""The benchmark's sequences with sound: what is written, and that the sound tells the class."""

import numpy as np
import pytest
from moving_digits import FRAMES, RATE, SIDE, chord, make
from PIL import Image

from seqclr.data import sound
from seqclr.data.discovery import find


@pytest.mark.parametrize("label", range(10))
def test_the_pitch_of_a_chord_is_that_of_its_class(label):
    """Tones are 1, 1.5 and 2 times a base, which differs by less than the step between classes."""
    for seed in range(5):
        samples = chord(label, np.random.default_rng(seed)).astype(float)
        heights = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
        hertz = np.argmax(heights) * RATE / len(samples)
        steps = 4 * np.log2(hertz / 200 / np.array([1, 1.5, 2]))  # of each tone
        assert np.abs(steps - label).min() < 0.2


def test_clips_have_sound_and_frames_have_labels(tmp_path, monkeypatch):
    monkeypatch.setattr("moving_digits.PER_CLASS", 2)
    digits, rows = tmp_path / "digits", ["file,text,split"]
    digits.mkdir()
    for label in range(10):
        for i in range(4):  # three of split train, of which one is left for clips
            Image.new("L", (28, 28), 25 * label).save(digits / f"{label}_{i}.png")
            rows.append(f"{label}_{i}.png,{label},{'train' if i < 3 else 'test'}")
    (digits / "labels.csv").write_text("\n".join(rows) + "\n")
    make(digits, tmp_path / "out", 5)
    clips = sorted(path for path in (tmp_path / "out" / "clips").iterdir() if path.is_dir())
    assert len(clips) == 5
    for clip in clips:
        frames = [np.asarray(Image.open(clip / f"{t}.png")) for t in range(FRAMES)]
        assert all(frame.shape == (SIDE, SIDE, 3) for frame in frames)
        sound.check(sound.beside(clip), 0.5)
    labelled = find([tmp_path / "out" / "frames"])
    counts = {split: sorted(sample.text for sample in labelled if sample.split == split) for split in ("train", "test")}
    assert counts == {"train": sorted("0123456789" * 2), "test": list("0123456789")}
