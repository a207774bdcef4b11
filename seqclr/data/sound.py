"""Sound beside sequences of images: WAV files and their log-mel spectrograms. Host side."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from seqclr.errors import UserError

LEAST_RATE = 8000  # Hz, twice the highest frequency of a spectrogram
LOWEST, HIGHEST = 60.0, 4000.0  # Hz
BANDS = 40
WINDOW, STEP = 0.025, 0.010  # seconds
FLOOR = -80.0  # decibels


def beside(sequence: str | Path) -> Path:
    """The file of the sound of an animation or a folder of frames: `walk.wav` of `walk.gif` or `walk/`."""
    path = Path(os.path.abspath(sequence))
    return path.parent / f"{path.name if path.is_dir() else path.stem}.wav"


def check(path: Path, seconds: float) -> None:
    """Raises UserError where a file is not a WAV of 16-bit PCM that is long enough for a window of `seconds`."""
    with _opened(path) as file:
        rate, count = file.getframerate(), file.getnframes()
        if file.getsampwidth() != 2 or rate < LEAST_RATE:
            kind = f"{8 * file.getsampwidth()} bits at {rate} Hz"
            raise UserError(f"{path} has samples of {kind}: write 16-bit PCM at {LEAST_RATE} Hz or more")
        if count < math.ceil(seconds * rate):
            raise UserError(f"{path} has {count / rate:.3g} s of sound, less than seconds={seconds:g}: lower seconds")
        file.setpos(count - 1)
        if len(file.readframes(1)) < 2 * file.getnchannels():
            raise UserError(f"{path} is cut off: write it again")


def read(path: Path, position: float, seconds: float) -> tuple[np.ndarray, int]:
    """A window of a sound, as mono samples `float32 [ceil(seconds * rate)]` of -1 to 1, and the rate in Hz.

    position: the middle of the window, from 0 at the start of the sound to 1 at its end. A window that would reach
    beyond an end lies at that end. Raises UserError as `check`.
    """
    check(path, seconds)
    with _opened(path) as file:
        rate = file.getframerate()
        count = math.ceil(seconds * rate)
        last = file.getnframes() - count
        file.setpos(min(max(round(position * file.getnframes() - count / 2), 0), last))
        samples = np.frombuffer(file.readframes(count), "<i2").reshape(count, file.getnchannels())
    return samples.mean(axis=1, dtype=np.float32) / 32768, rate


def log_mel(samples: np.ndarray, rate: int, seconds: float) -> np.ndarray:
    """The log-mel spectrogram of mono samples of `seconds`, `float32 [BANDS, T]` in decibels, the lowest band first.

    Columns are windows (Hann) of 25 ms every 10 ms; their number depends on `seconds` alone. A band is the sum of the
    magnitudes of the spectrum, with triangular weights of the mel scale of HTK, `2595 log10(1 + f / 700)`, from 60 to
    4,000 Hz. A sine of full scale has magnitude 1 at its frequency. 0 dB is a sum of 1; less than -80 dB is -80 dB.
    """
    length = int(WINDOW * rate)
    count = int((seconds - WINDOW) / STEP + 1e-6) + 1
    starts = (np.arange(count) * STEP * rate + 1e-6).astype(int)
    hann = np.hanning(length + 1)[:-1]
    windows = samples[starts[:, None] + np.arange(length)] * hann
    points = 2 ** math.ceil(math.log2(length))
    magnitudes = np.abs(np.fft.rfft(windows, points)) * 2 / hann.sum()
    bands = mel_weights(rate, points) @ magnitudes.T
    return (20 * np.log10(np.maximum(bands, 10 ** (FLOOR / 20)))).astype(np.float32)


@functools.lru_cache(maxsize=16)
def mel_weights(rate: int, points: int) -> np.ndarray:
    """The weight of every frequency of a spectrum of `points` samples in every band, `[BANDS, points // 2 + 1]`."""
    mel = _mel(np.arange(points // 2 + 1) * rate / points)
    edges = np.linspace(_mel(LOWEST), _mel(HIGHEST), BANDS + 2)[:, None]
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    return np.maximum(0, np.minimum((mel - left) / (middle - left), (right - mel) / (right - middle)))


def _mel(hertz):
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[wave.Wave_read]:
    try:
        with open(path, "rb") as stream, wave.open(stream) as file:
            yield file
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: put the sound of a sequence beside it, as 16-bit WAV") from None
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}): check the path") from None
    except (wave.Error, EOFError, ValueError) as error:
        raise UserError(f"{path} is not a WAV file of PCM ({str(error) or 'cut off'}): write it again") from None
