"""Any image file to `uint8 [H, W, 3]`, and any size to one size. Host wing: Pillow and NumPy only."""

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
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # whatever a file is named: for EPS Pillow starts Ghostscript
ANIMATED = ("GIF", "PNG", "WEBP", "TIFF")  # the further pictures of a JPEG are not frames
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
}  # what undoes an EXIF orientation


# limits


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a file may hold; one with more is refused before the memory for it is taken."""

    max_bytes: int = 100_000_000
    max_pixels: int = 50_000_000  # of an image; of all frames of an animation, where these are read
    max_frames: int = 1_000

    def __post_init__(self):
        for name, value in vars(self).items():
            if value < 1:
                raise UserError(f"{name} {value}: at least 1")


def set_limits(limits: Limits) -> None:
    """From now on, in the whole process; workers get those of the process that starts them."""
    global _limits
    _limits = limits
    Image.MAX_IMAGE_PIXELS = limits.max_pixels // 2  # Pillow raises at twice that, and warns before


def get_limits() -> Limits:
    return _limits


set_limits(Limits())
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def check_bytes(size: int, name: str) -> None:
    """Raises UserError for a file of more bytes than are allowed."""
    if size > _limits.max_bytes:
        raise UserError(f"{name} has {size} bytes, max_bytes are {_limits.max_bytes}: remove it or raise the limit")


def _too_large(name: str) -> str:
    return f"{name} has more pixels than max_pixels {_limits.max_pixels}: shrink it or raise the limit"


def _too_many(name: str) -> str:
    return f"{name} has more frames than max_frames {_limits.max_frames}: shorten it or raise the limit"


# opening


def open_image(data: bytes, name: str) -> Image.Image:
    """Opens an image without decoding its pixels; raises UserError where it is no image or has an absurd size."""
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
    """Turns whatever a decoder raises into a UserError; of damaged files that may be anything."""
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

    The first frame of an animation, turned as its EXIF says, transparency laid on white, 16 bits cut to 8.
    Raises UserError, naming `name`, for what is damaged, empty, no image, or of an absurd size.
    """
    return _decoded(open_image(data, name), name)


def _decoded(image: Image.Image, name: str) -> np.ndarray:
    with _decoding(name):
        image.load()
        turn = TURNS.get(orientation(image))
        return to_rgb(image if turn is None else image.transpose(turn))


def orientation(image: Image.Image) -> int:
    """As the EXIF of an image says, 1 (upright) to 8; upright too where the EXIF is damaged, as in any viewer."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # as many kinds as there are ways to damage it
        return 1
    return value if isinstance(value, int) else 1


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
    """The bytes of a file; UserError where it cannot be opened or has more than are allowed."""
    try:
        with open(path, "rb", buffering=0) as file:
            check_bytes(os.fstat(file.fileno()).st_size, str(path))
            return file.readall()
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}): check the path") from None
    except ValueError:  # a NUL character
        raise UserError(f"{path} is no path: check it") from None


# animations


def count_frames(path: str | Path) -> int:
    """The frames of an animation (GIF, APNG, WebP, pages of TIFF), 1 for other images; UserError where it is none, and
    where they are too many or have too many pixels in all."""
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


def _count_pages(image: Image.Image) -> int:
    """Those of a TIFF, up to one more than are allowed: Pillow's own count takes the square of their number in time."""
    count = 1
    with contextlib.suppress(EOFError):
        while count <= _limits.max_frames:
            image.seek(count)
            count += 1
    return count


def read_frame(path: str | Path, number: int) -> bytes:
    """A frame of an animation, from 0 on, as a PNG of what a viewer shows at that time: frames often hold only what
    changes. UserError for a frame that is damaged."""
    frames, error = _frames(str(path))
    if number >= len(frames):
        raise UserError(error)
    return frames[number]


@functools.lru_cache(maxsize=8)  # a frame is drawn onto those before it, so reading one is reading all
def _frames(path: str) -> tuple[list[bytes], str]:
    """All frames, up to the first that cannot be read, and what is wrong with that one."""
    image = open_image(read_bytes(path), path)
    count, frames, pixels = _count(image, path), [], 0
    try:
        for number in range(count):
            with _decoding(f"{path}, frame {number}"):
                image.seek(number)
                pixels += image.width * image.height  # pages of TIFF have each their size
                if pixels > _limits.max_pixels:
                    raise UserError(_too_large(path))
                data = io.BytesIO()
                Image.fromarray(to_rgb(image)).save(data, "PNG", compress_level=1)
            frames.append(data.getvalue())
    except UserError as error:
        return frames, str(error)
    return frames, f"{path} has {count} frames now: it has changed, so start again"


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
