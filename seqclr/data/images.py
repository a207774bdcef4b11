"""Any image file to `uint8 [H, W, 3]`, and any size to one size. Host wing: Pillow and NumPy only."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from seqclr.errors import UserError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
MIN_SIDE = 4
MAX_SIDE = 10_000

Image.MAX_IMAGE_PIXELS = MAX_SIDE * MAX_SIDE // 4


def open_image(data: bytes, name: str) -> Image.Image:
    """Opens an image without decoding its pixels; raises UserError where it is no image or has an absurd size."""
    if not data:
        raise UserError(f"{name} is empty (0 bytes): remove it or fetch it again")
    try:
        image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        raise UserError(f"{name} is not an image that can be read: remove it or convert it to PNG") from None
    except (Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{name} cannot be read ({error}): remove it or convert it to PNG") from None
    width, height = image.size
    if min(width, height) < MIN_SIDE or max(width, height) > MAX_SIDE:
        raise UserError(
            f"{name} is {width}x{height} pixels: what can be read has sides of {MIN_SIDE} to {MAX_SIDE}, so crop it"
        )
    return image


def decode(data: bytes, name: str = "image") -> np.ndarray:
    """An encoded image as `uint8 [H, W, 3]`.

    The first frame of an animation, turned as its EXIF says, transparency laid on white, 16 bits cut to 8.
    Raises UserError, naming `name`, for what is damaged, empty, no image, or of an absurd size.
    """
    image = open_image(data, name)
    try:
        image = ImageOps.exif_transpose(image)
        return to_rgb(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{name} is damaged or truncated ({error}): remove it or fetch it again") from None


def to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):  # 16 bits of gray; the high byte is what 8-bit decoders keep
        gray = np.asarray(image).astype(np.int64)
        gray = (gray >> 8 if gray.max(initial=0) > 255 or image.mode != "I" else gray).clip(0, 255).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA")).astype(np.uint16)
        colour, alpha = rgba[..., :3], rgba[..., 3:]
        return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.asarray(image.convert("RGB"))


def read(path: str | Path) -> np.ndarray:
    """`decode` of a file; a missing file is a UserError."""
    return decode(read_bytes(path), str(path))


def read_bytes(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}): check the path") from None


def count_frames(path: str | Path) -> int:
    """The frames of an animation (GIF, APNG, WebP, pages of TIFF), 1 for other images; UserError where it is none."""
    image = open_image(read_bytes(path), str(path))
    try:
        return getattr(image, "n_frames", 1)
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path} is damaged or truncated ({error}): remove it or fetch it again") from None


def read_frame(path: str | Path, number: int) -> bytes:
    """A frame of an animation, from 0 on, as a PNG of what a viewer shows at that time: frames often hold only what
    changes. UserError for a frame that is damaged."""
    frames = _frames(str(path))
    if number >= len(frames):
        raise UserError(f"{path} is damaged at frame {len(frames)}: remove it or fetch it again")
    return frames[number]


@functools.lru_cache(maxsize=8)  # a frame is drawn onto those before it, so reading one is reading all
def _frames(path: str) -> list[bytes]:
    """All frames, up to the first that is damaged."""
    frames: list[bytes] = []
    try:
        for frame in ImageSequence.Iterator(open_image(read_bytes(path), path)):
            data = io.BytesIO()
            Image.fromarray(to_rgb(frame)).save(data, "PNG", compress_level=1)
            frames.append(data.getvalue())
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        pass  # whoever asks for one of the others is told
    return frames


def fitted_width(height: int, width: int, to_height: int, to_width: int, resize: str) -> int:
    """The columns that an image of `height` x `width` fills once it is fitted; the rest is padding."""
    if resize == "stretch":
        return to_width
    return min(to_width, max(1, int(width * to_height / height + 0.5)))


def fit(image: np.ndarray, height: int, width: int, resize: str = "stretch") -> tuple[np.ndarray, int]:
    """An image brought to `uint8 [height, width, 3]`, and how many of its columns are image.

    `stretch` fills the width. `pad` keeps the proportions and leaves white on the right; a line too long for the
    width is squeezed into it. The filter is the antialiased triangle, which TensorFlow has too
    (`tf.image.resize(..., antialias=True)`), so that an exported model sees the same pixels.
    """
    filled = fitted_width(*image.shape[:2], height, width, resize)
    canvas = np.full((height, width, 3), 255, np.uint8)
    for channel in range(3):  # in float32: of bytes Pillow would round between its two passes, TensorFlow does not
        plane = Image.fromarray(image[..., channel].astype(np.float32))
        scaled = np.asarray(plane.resize((filled, height), Image.Resampling.BILINEAR))
        canvas[:, :filled, channel] = np.rint(scaled).clip(0, 255)
    return canvas, filled
