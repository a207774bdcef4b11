"""Sound beside sequences: the log-mel spectrogram against a direct computation, windows of files, what is refused."""

import wave

import numpy as np
import pytest
import tensorflow as tf

from seqclr.data import sound
from seqclr.errors import UserError


def saved(path, samples, rate=8000, width=2):
    """A WAV file of `[N]` or `[N, channels]`."""
    samples = np.asarray(samples)
    with wave.open(str(path), "wb") as file:
        file.setparams((samples[0].size, width, rate, 0, "NONE", None))
        file.writeframes(samples.astype({1: "u1", 2: "<i2"}[width]).tobytes())
    return path


@pytest.mark.parametrize("rate", [8000, 11025, 22050])
def test_a_spectrogram_is_that_of_a_direct_computation(rate):
    """Sums over samples in place of the FFT, and the weights of TensorFlow."""
    rng, seconds = np.random.default_rng(0), 0.1
    samples = 0.3 * np.sin(2 * np.pi * 700 * np.arange(-(-rate // 10)) / rate) + 0.01 * rng.normal(size=-(-rate // 10))
    found = sound.log_mel(samples, rate, seconds)
    length = int(0.025 * rate)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    points = 256 if rate == 8000 else 512 if rate == 11025 else 1024
    waves = np.exp(-2j * np.pi * np.outer(np.arange(points // 2 + 1), np.arange(length)) / points)
    weights = tf.signal.linear_to_mel_weight_matrix(40, points // 2 + 1, rate, 60.0, 4000.0).numpy()
    assert found.shape == (40, 8)
    for column in range(8):
        start = int(column * rate / 100 + 1e-6)
        magnitudes = np.abs(waves @ (samples[start : start + length] * hann)) / (length / 4)
        expected = 20 * np.log10(np.maximum(magnitudes @ weights, 1e-4))
        np.testing.assert_allclose(found[:, column], expected, atol=0.02)


def test_silence_is_the_floor_and_the_columns_depend_on_the_seconds_alone():
    assert (sound.log_mel(np.zeros(4000), 8000, 0.5) == -80).all()
    shapes = {sound.log_mel(np.zeros(int(np.ceil(0.5049 * rate))), rate, 0.5049).shape for rate in (8000, 11025, 44100)}
    assert shapes == {(40, 48)}


def test_a_window_lies_at_its_position_and_within_the_sound(tmp_path):
    ramp = np.arange(16000)
    path = saved(tmp_path / "a.wav", np.stack([ramp, np.zeros(16000)], axis=1))
    for position, start in ((0.5, 6000), (0.0, 0), (0.1, 0), (1.0, 12000)):
        samples, rate = sound.read(path, position, 0.5)
        assert rate == 8000
        np.testing.assert_allclose(samples * 32768, (start + np.arange(4000)) / 2, atol=1e-2)  # the mean of both sides


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "a.wav does not exist: put the sound of a sequence beside it, as 16-bit WAV"),
        (lambda path: path.mkdir(), r"a.wav cannot be opened \(Is a directory\)"),
        (lambda path: path.write_bytes(b""), r"a.wav is not a WAV file of PCM \(cut off\): write it again"),
        (lambda path: path.write_text("no sound at all"), "a.wav is not a WAV file of PCM"),
        (lambda path: saved(path, np.zeros(8000), width=1), "has samples of 8 bits at 8000 Hz: write 16-bit PCM at"),
        (lambda path: saved(path, np.zeros(8000), rate=4000), "has samples of 16 bits at 4000 Hz"),
        (lambda path: saved(path, np.zeros(2000)), "has 0.25 s of sound, less than seconds=0.5: lower seconds"),
        (lambda path: path.write_bytes(saved(path, np.zeros(8000)).read_bytes()[:9000]), "is cut off: write it again"),
    ],
)
def test_what_is_no_sound_is_refused_in_one_sentence(tmp_path, make, message):
    make(tmp_path / "a.wav")
    with pytest.raises(UserError, match=message):
        sound.check(tmp_path / "a.wav", 0.5)


def test_the_sound_of_a_folder_and_of_an_animation_has_their_name(tmp_path):
    (tmp_path / "walk.v2").mkdir()
    (tmp_path / "run.2.gif").touch()
    assert sound.beside(tmp_path / "walk.v2") == tmp_path / "walk.v2.wav"
    assert sound.beside(tmp_path / "run.2.gif") == tmp_path / "run.2.wav"
