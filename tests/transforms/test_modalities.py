"""Modalities of frames: a flow that is known, the luminance, and the sound at the time of a frame."""

import wave

import cv2
import numpy as np

from seqclr.transforms.modalities import FramesAndFlow, FramesAndGray, FramesAndSound, optical_flow
from tests.engine.tiny import write_sound


def texture(dx=0.0, dy=0.0):
    """Smooth noise that is moved to the right and down."""
    noise = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    page = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    moved = cv2.warpAffine(page, np.float32([[1, 0, dx], [0, 1, dy]]), (64, 64), borderMode=cv2.BORDER_REFLECT)
    return np.repeat(moved.astype(np.uint8)[..., None], 3, axis=-1)


def test_flow_is_the_motion_in_sixteenths_of_a_pixel():
    right, down, length = (optical_flow(texture(), texture(1.5, -2.0))[16:48, 16:48, i].mean() for i in range(3))
    np.testing.assert_allclose([right, down, length], [128 + 24, 128 - 32, 16 * 2.5], atol=2)


class Film(list):
    """Frames of one gray each, as data/sequences.py gives them."""

    def __init__(self, path, count=9):
        super().__init__(np.full((16, 16, 3), 20 * i, np.uint8) for i in range(count))
        self.path = path


def shown(transform, film, seed):
    return transform({"frames": film, "index": np.int32(5)}, np.random.default_rng(seed))


def test_a_modality_is_of_the_times_of_the_frames_and_the_same_for_a_seed(tmp_path):
    for seed in range(20):
        example = shown(FramesAndGray("none"), Film(tmp_path), seed)
        assert example["index"] == 5 and (example["modality"] == example["views"][..., :1]).all()
        first, second = example["views"][:, 0, 0, 0] // 20
        assert first != second and max(first, second) <= 7  # the last has no flow
    one, two = (shown(FramesAndFlow("none"), Film(tmp_path), 3) for _ in range(2))
    np.testing.assert_equal(one, two)


def test_gray_is_the_luminance_of_the_frame_without_its_augmentation(tmp_path):
    film = Film(tmp_path)
    for i in range(9):
        film[i] = np.full((16, 16, 3), [200, 100 - i, 50], np.uint8)
    augment = FramesAndGray("strong")
    example = shown(augment, film, 0)
    expected = [round(0.299 * 200 + 0.587 * (100 - i) + 0.114 * 50) for i in range(9)]
    assert all((image == image[0, 0]).all() and image[0, 0, 0] in expected for image in example["modality"])
    assert (example["views"] != np.stack([film[0]] * 2)).any()


def test_sound_is_heard_at_the_time_of_its_frame(tmp_path):
    """A tone of 1,000 Hz in the first half of the sound, then nothing."""
    path = tmp_path / "walk.wav"
    write_sound(path, 1000, seconds=1.0)
    with wave.open(str(path)) as file:
        parameters, data = file.getparams(), file.readframes(4000)
    with wave.open(str(path), "wb") as file:
        file.setparams(parameters)
        file.writeframes(data + bytes(8000))
    film, transform = Film(tmp_path / "walk.gif", 10), FramesAndSound("none", 0.1)
    images = [transform.image(film, time) for time in range(10)]
    assert all(image.shape == (40, 8, 1) for image in images)
    assert all(image.max() > 180 for image in images[:4]) and all(image.max() == 0 for image in images[6:])
    mel = 2595 * np.log10(1 + np.array([60, 1000, 4000]) / 700)
    band = 41 * (mel[1] - mel[0]) / (mel[2] - mel[0]) - 1
    assert abs((39 - images[1][:, 4, 0].argmax()) - band) < 1  # the highest band is the first row
