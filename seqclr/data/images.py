"""Decodes image files to `uint8 [H, W, 3]` and resizes them. Host side: Pillow and NumPy only."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from seqclr.errors import UserError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # whatever the suffix: for EPS, Pillow would start Ghostscript
ANIMATED = ("GIF", "PNG", "WEBP", "TIFF")  # further images in a JPEG file are not frames
MIN_SIDE = 4
MAX_SIDE = 10_000
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # undo an EXIF orientation


# limits


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of a file; larger ones are refused before memory is allocated."""

    max_bytes: int = 100_000_000
    max_pixels: int = 50_000_000  # of an image, or of all frames of an animation that is read
    max_frames: int = 1_000

    def __post_init__(self):
        for name, value in vars(self).items():
            if value < 1:
                raise UserError(f"{name} {value}: at least 1")


def set_limits(limits: Limits) -> None:
    """Sets the limits of this process; workers get those of the process that starts them."""
    global _limits
    _limits = limits
    Image.MAX_IMAGE_PIXELS = limits.max_pixels // 2  # Pillow raises at twice that, and warns before


def get_limits() -> Limits:
    return _limits


set_limits(Limits())
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def check_bytes(size: int, name: str) -> None:
    """Raises UserError for a file with more than `max_bytes` bytes."""
    if size > _limits.max_bytes:
        raise UserError(f"{name} has {size} bytes, max_bytes are {_limits.max_bytes}: remove it or raise the limit")


def _too_large(name: str) -> str:
    return f"{name} has more pixels than max_pixels {_limits.max_pixels}: shrink it or raise the limit"


def _too_many(name: str) -> str:
    return f"{name} has more frames than max_frames {_limits.max_frames}: shorten it or raise the limit"


# opening


def open_image(data: bytes, name: str) -> Image.Image:
    """Opens an image without decoding its pixels. Raises UserError for other files and for sides out of range."""
    if not data:
        raise UserError(f"{name} is empty (0 bytes): remove it or fetch it again")
    with _decoding(name):
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    _check_sides(*image.size, name)
    return image


def _check_sides(width: int, height: int, name: str) -> None:
    if min(width, height) < MIN_SIDE or max(width, height) > MAX_SIDE:
        raise UserError(
            f"{name} is {width}x{height} pixels: what can be read has sides of {MIN_SIDE} to {MAX_SIDE}, so crop it"
        )


@contextlib.contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turns all exceptions of a decoder into a UserError; damaged files may raise any."""
    try:
        yield
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError(
            f"{name} is not an image that can be read ({', '.join(FORMATS)}): remove it or convert it to PNG"
        ) from None
    except Image.DecompressionBombError:
        raise UserError(_too_large(name)) from None
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UserError(f"{name} is damaged or truncated ({reason}): remove it or fetch it again") from None


def decode(data: bytes, name: str = "image") -> np.ndarray:
    """An encoded image as `uint8 [H, W, 3]`.

    Animations of at most `max_frames` give their first frame. The EXIF orientation is applied, transparency is
    composited on white, and 16-bit values are reduced to 8 bits. Raises UserError, naming `name`, for damaged, empty
    and other files, for longer animations, and for sides out of range.
    """
    image = open_image(data, name)
    if image.format in ANIMATED and _frames_in(image, data) > _limits.max_frames:
        raise UserError(_too_many(name))
    return _decoded(image, name)


def _decoded(image: Image.Image, name: str) -> np.ndarray:
    with _decoding(name):
        image.load()
        turn = TURNS.get(orientation(image))
        return to_rgb(image if turn is None else image.transpose(turn))


def decode_raw(data: bytes, name: str) -> np.ndarray:
    """The pixels of an encoded image as they are stored, `[H, W]` or `[H, W, C]`, upright. Raises UserError as
    `decode`."""
    image = open_image(data, name)
    with _decoding(name):
        image.load()
        turn = TURNS.get(orientation(image))
        return np.asarray(image if turn is None else image.transpose(turn))


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of an image, 1 (upright) to 8; 1 where the EXIF is damaged, as in image viewers."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # of many kinds, where the EXIF is damaged
        return 1
    return value if isinstance(value, int) else 1


def to_rgb(image: Image.Image) -> np.ndarray:
    """The pixels of an image in any mode as `uint8 [H, W, 3]`, transparency composited on white."""
    if image.mode.startswith("I"):  # 16-bit gray: the high byte, as in 8-bit decoders
        gray = np.asarray(image).astype(np.int64)
        gray = (gray >> 8 if gray.max(initial=0) > 255 or image.mode != "I" else gray).clip(0, 255).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA")).astype(np.uint16)
        colour, alpha = rgba[..., :3], rgba[..., 3:]
        return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.asarray(image.convert("RGB"))


def read(path: str | Path) -> np.ndarray:
    """Decodes a file, as `decode`. Raises UserError for a missing file too."""
    return decode(read_bytes(path), str(path))


def as_pixels(image: str | os.PathLike | bytes | Image.Image | np.ndarray, name: str) -> np.ndarray:
    """An image in any form as `uint8 [H, W, 3]`, RGB.

    image: a path, the bytes of a file, a PIL image, or an array `uint8 [H, W]` or `[H, W, C]` of 1 (gray), 3 (RGB) or 4
    (RGBA) channels. Raises UserError, naming the path or else `name`, for what is none of these or cannot be read.
    """
    if isinstance(image, str | os.PathLike):
        return read(os.fspath(image))
    if isinstance(image, bytes | bytearray | memoryview):
        check_bytes(len(image), name)
        return decode(bytes(image), name)
    if isinstance(image, Image.Image):
        _check_sides(*image.size, name)
        return _decoded(image, name)
    if not isinstance(image, np.ndarray):
        raise UserError(f"{name} is of type {type(image).__name__}: give a path, bytes, a PIL image or an array")
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,), (4,)):
        shape = f"{image.dtype} {list(image.shape)}"
        raise UserError(f"{name} is an array {shape}: give uint8 [H, W] or [H, W, C], C of 1, 3 or 4, values 0 to 255")
    _check_sides(image.shape[1], image.shape[0], name)
    return to_rgb(Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image))


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a file. Raises UserError where it cannot be opened or has more than `max_bytes`."""
    try:
        with open(path, "rb", buffering=0) as file:
            check_bytes(os.fstat(file.fileno()).st_size, str(path))
            return file.readall()
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}): check the path") from None
    except ValueError:  # a NUL character
        raise UserError(f"{path} is not a valid path") from None


# animations


def count_frames(path: str | Path) -> int:
    """The number of frames of an animation (GIF, APNG, WebP, pages of a TIFF), 1 for other images.

    Raises UserError for other files, and for more frames or pixels in all frames than the limits allow.
    """
    return _count(open_image(read_bytes(path), str(path)), str(path))


def _count(image: Image.Image, name: str) -> int:
    if image.format not in ANIMATED:
        return 1
    width, height = image.size
    with _decoding(name):
        count = _count_pages(image) if image.format == "TIFF" else max(1, getattr(image, "n_frames", 1))
    if count > _limits.max_frames:
        raise UserError(_too_many(name))
    if count > 1 and count * width * height > _limits.max_pixels:
        raise UserError(_too_large(f"{name}, with {count} frames of {width}x{height},"))
    return count


def _frames_in(image: Image.Image, data: bytes) -> int:
    """The frames of an animation, counted up to one above the limit; 1 where that part of the file is damaged."""
    if image.format == "GIF":
        return _count_gif(data)
    with contextlib.suppress(Exception):  # whether the first frame can be decoded is another question
        count = _count_pages(image) if image.format == "TIFF" else getattr(image, "n_frames", 1)
        image.seek(0)
        return count
    return 1


def _count_gif(data: bytes) -> int:
    """The frames of a GIF, counted up to one above the limit: Pillow's own count has no limit."""

    def after_table(place: int, flags: int) -> int:
        return place + (3 << (flags & 7) + 1 if flags & 128 else 0)

    def after_blocks(place: int) -> int:
        while data[place]:
            place += data[place] + 1
        return place + 1

    count = 0
    with contextlib.suppress(IndexError):  # it is cut off
        place = after_table(13, data[10])
        while data[place] != ord(";") and count <= _limits.max_frames:
            if data[place] == ord(","):
                count += 1
                place = after_blocks(after_table(place + 10, data[place + 9]) + 1)
            else:
                place = after_blocks(place + 2) if data[place] == ord("!") else place + 1
    return count


def _count_pages(image: Image.Image) -> int:
    """The pages of a TIFF, counted up to one above the limit: Pillow's own count takes quadratic time."""
    count = 1
    with contextlib.suppress(EOFError):
        while count <= _limits.max_frames:
            image.seek(count)
            count += 1
    return count


def read_frame(path: str | Path, number: int) -> bytes:
    """A frame of an animation, numbered from 0, as a PNG. Raises UserError for a damaged frame.

    It is composited as in a viewer: frames often store only their changes.
    """
    frames, error = _frames(str(path))
    if number >= len(frames):
        raise UserError(error)
    return frames[number]


@functools.lru_cache(maxsize=8)  # a frame is composited on those before it, so one is as expensive as all
def _frames(path: str) -> tuple[list[bytes], str]:
    """All frames, up to the first that cannot be read, and the reason for that one."""
    image = open_image(read_bytes(path), path)
    count, frames, pixels = _count(image, path), [], 0
    try:
        for number in range(count):
            with _decoding(f"{path}, frame {number}"):
                image.seek(number)
                pixels += image.width * image.height  # pages of a TIFF may differ in size
                if pixels > _limits.max_pixels:
                    raise UserError(_too_large(path))
                data = io.BytesIO()
                Image.fromarray(to_rgb(image)).save(data, "PNG", compress_level=1)
            frames.append(data.getvalue())
    except UserError as error:
        return frames, str(error)
    return frames, f"{path} has {count} frames now: it has changed, so start again"


def channels_read(channels: int) -> int:
    """The channels of the images that are read for an encoder of so many: 4 with depth, else 3."""
    return 4 if channels == 4 else 3


def resized_width(height: int, width: int, to_height: int, to_width: int, resize: str) -> int:
    """The number of columns before the padding of an image of `height` x `width` after `fit`."""
    if resize == "stretch":
        return to_width
    return min(to_width, max(1, int(width * to_height / height + 0.5)))


def fit(image: np.ndarray, height: int, width: int, resize: str = "stretch") -> tuple[np.ndarray, int]:
    """An image resized to `uint8 [height, width, C]`, and the number of its columns before the padding.

    resize: `stretch` fills the width; `pad` keeps the aspect ratio and pads with white on the right, and a line that is
    too long is reduced to the width. The filter is the antialiased triangle of TensorFlow
    (`tf.image.resize(..., antialias=True)`), so that an exported model gets the same pixels.
    """
    filled = resized_width(*image.shape[:2], height, width, resize)
    canvas = np.full((height, width, image.shape[2]), 255, np.uint8)
    for channel in range(image.shape[2]):
        # in float32: with bytes, Pillow rounds between its two passes, and TensorFlow does not
        plane = Image.fromarray(image[..., channel].astype(np.float32))
        scaled = np.asarray(plane.resize((filled, height), Image.Resampling.BILINEAR))
        canvas[:, :filled, channel] = np.rint(scaled).clip(0, 255)
    return canvas, filled
