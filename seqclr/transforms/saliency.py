"""Foreground without labels: the ink of a line, and the salient parts of an image. Host side.

Never imports TensorFlow.
"""

from __future__ import annotations

import cv2
import numpy as np

LEAST_SIDE, LEAST_AREA = 1 / 5, 8  # of a component of ink: its longer side in heights of the image, and its pixels
LEAST_DOT = 4  # pixels of a component above or below another one, such as the dot of an i
STROKE = 1.5, 1 / 4  # heights of the image: what is wider than the first and lower than the second is a line
SPECTRUM = 64  # pixels of the longer side of the image whose spectrum is taken; less of a smaller image
SMOOTHING = 0.04  # standard deviation of the blur of the saliency, in longer sides


def find_ink(image: np.ndarray) -> np.ndarray:
    """Ink of a line `uint8 [H, W, 3]` as 1, `uint8 [H, W]`: pixels that differ from the median of their surroundings
    in any channel, by Otsu's threshold, without long lines and single dots."""
    reach = len(image) // 2
    around = cv2.copyMakeBorder(image, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)  # a frame stays thin
    background = np.stack([cv2.medianBlur(channel, 2 * reach + 1) for channel in np.moveaxis(around, 2, 0).copy()], 2)
    contrast = cv2.absdiff(image, background[reach : reach + len(image), reach : reach + image.shape[1]]).max(2)
    _, ink = cv2.threshold(contrast, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return _characters(ink)


def _characters(ink: np.ndarray) -> np.ndarray:
    """The components that may be characters, and the dots above and below these."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink)
    left, _, width, height, area = stats.T
    line = (width > STROKE[0] * len(ink)) & (height < STROKE[1] * len(ink))
    kept = (np.maximum(width, height) >= LEAST_SIDE * len(ink)) & (area >= LEAST_AREA) & ~line
    kept[0] = False
    columns = np.append(0, np.cumsum(kept[labels].any(0)))
    dots = columns[left + width] - columns[left] == width
    dots[0] = False
    return (kept | dots & (area >= LEAST_DOT))[labels].astype(np.uint8)


def spectral_residual(image: np.ndarray) -> np.ndarray:
    """Saliency of an image `uint8 [H, W, 3]`, `float32 [H, W]` of 0 to 1: what its spectrum has beyond its local mean.

    Hou & Zhang 2007, Saliency detection: a spectral residual approach.
    """
    height, width = image.shape[:2]
    scale = min(1.0, SPECTRUM / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    gray = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA).astype(np.float64)
    spectrum = np.fft.fft2(gray)
    amplitude = np.log(np.abs(spectrum) + 1e-9)
    residual = amplitude - cv2.blur(amplitude, (3, 3))
    saliency = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    saliency = cv2.resize(cv2.GaussianBlur(saliency, (0, 0), SMOOTHING * max(size)), (width, height))
    return (saliency / saliency.max()).astype(np.float32)


def find_salient(image: np.ndarray) -> np.ndarray:
    """The salient parts of an image `uint8 [H, W, 3]` as 1, `uint8 [H, W]`, by Otsu's threshold."""
    saliency = np.rint(255 * spectral_residual(image)).astype(np.uint8)
    return cv2.threshold(saliency, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
