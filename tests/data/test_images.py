"""Every kind of image file to the same pixels, every kind of broken file to one sentence."""

import io
import os
import struct
import time
import warnings

import numpy as np
import pytest
from PIL import Image

from seqclr.data import images
from seqclr.errors import UserError

GRAY = np.tile(np.linspace(0, 255, 24).astype(np.uint8), (16, 1))
COLOUR = np.stack([GRAY, GRAY[:, ::-1], np.full_like(GRAY, 90)], axis=2)
LOSSLESS = {"PNG": {}, "BMP": {}, "GIF": {}, "TIFF": {}, "WEBP": {"lossless": True, "exact": True}}


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def with_alpha(image: Image.Image, alpha: int) -> Image.Image:
    image = image.copy()
    image.putalpha(alpha)
    return image


MODES = {
    "bits": Image.fromarray(GRAY).convert("1"),
    "gray": Image.fromarray(GRAY),
    "palette": Image.fromarray(COLOUR).quantize(200),
    "rgb": Image.fromarray(COLOUR),
}


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_in_every_lossless_format(mode, kind):
    image = MODES[mode]
    if (kind, mode) == ("GIF", "rgb"):
        image = image.quantize(200)  # a GIF holds a palette
    decoded = images.decode(encoded(image, kind, **LOSSLESS[kind]))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("mode", ["gray", "rgb"])
def test_lossy_formats_come_close(mode, kind):
    decoded = images.decode(encoded(MODES[mode], kind, quality=95)).astype(int)
    assert abs(decoded - np.asarray(MODES[mode].convert("RGB"))).mean() < 6


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind):
    image = MODES["rgb"].convert("CMYK")
    decoded = images.decode(encoded(image, kind)).astype(int)
    assert abs(decoded - np.asarray(image.convert("RGB"))).mean() < 6


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_cut_to_eight(kind):
    image = Image.fromarray(GRAY.astype(np.uint16) * 256 + 200)
    np.testing.assert_array_equal(images.decode(encoded(image, kind))[..., 0], GRAY)


def test_dark_sixteen_bits_stay_dark():
    image = Image.fromarray(np.full((16, 24), 200, np.uint16))
    assert images.decode(encoded(image, "PNG")).max() == 0


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_transparency_is_laid_on_white(mode, kind):
    black = Image.new(mode, (24, 16))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    for alpha, expected in ((0, 255), (51, 204), (255, 0)):
        decoded = images.decode(encoded(with_alpha(black, alpha), kind, **options))
        assert decoded.shape == (16, 24, 3) and (decoded == expected).all()


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_entry_is_white(kind):
    image = Image.new("P", (24, 16), 1)
    image.putpalette([10, 20, 30, 200, 0, 0] + [0] * 762)
    image.paste(0, (0, 0, 12, 16))
    decoded = images.decode(encoded(image, kind, transparency=0))
    assert (decoded[:, :12] == 255).all() and (decoded[:, 12:] == [200, 0, 0]).all()


def test_one_transparent_gray_of_a_png_is_white():
    decoded = images.decode(encoded(Image.new("L", (24, 16), 7), "PNG", transparency=7))
    assert (decoded == 255).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_the_first_frame_of_many(kind):
    first, second = Image.new("L", (24, 16), 40), Image.new("L", (24, 16), 220)
    decoded = images.decode(encoded(first, kind, save_all=True, append_images=[second]))
    assert decoded.shape == (16, 24, 3) and abs(decoded.astype(int) - 40).max() < 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_turned_as_exif_says(kind):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image = Image.new("L", (24, 16), 255)
    image.paste(0, (0, 0, 24, 8))  # the upper half is black: the right half, once turned
    decoded = images.decode(encoded(image, kind, exif=exif)).astype(int)
    assert decoded.shape == (24, 16, 3)
    assert decoded[:, 9:].mean() < 10 and decoded[:, :7].mean() > 245


def test_odd_exif_does_not_lose_the_image():
    data = encoded(MODES["gray"], "JPEG", exif=b"Exif\0\0II*\0\xff\xff\0\0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert images.decode(data).shape == (16, 24, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"])
def test_truncated_anywhere_is_reported(kind):
    noise = np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    for part in (0.02, 0.3, 0.6, 0.9):
        with pytest.raises(UserError, match="^cut.img (is|cannot be) "), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            images.decode(data[: int(len(data) * part)], "cut.img")


BROKEN = {
    "empty.png": b"",
    "text.png": b"Not Found\n" * 30,
    "dot.png": encoded(Image.new("L", (1, 1)), "PNG"),
    "wide.png": encoded(Image.new("L", (20_000, 32)), "PNG"),
    "vast.png": encoded(Image.new("1", (9_000, 9_000)), "PNG"),
    "nested.jpg": encoded(MODES["rgb"], "JPEG")[:200],
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    with pytest.raises(UserError) as caught:
        images.read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="gone.png cannot be opened"):
        images.read(tmp_path / "gone.png")


# what is not promised, and what is too much


@pytest.mark.parametrize("kind", ["PPM", "DDS", "ICO", "TGA", "PCX", "EPS"])
def test_other_formats_are_no_images_whatever_their_name(kind, monkeypatch):
    def started(*arguments, **options):
        raise AssertionError("Ghostscript was started")

    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", started)
    with pytest.raises(UserError, match="^x.png is not an image that can be read .PNG, JPEG, BMP"):
        images.decode(encoded(MODES["rgb"].resize((32, 32)), kind), "x.png")


RAISED = [struct.error("s"), TypeError("t"), IndexError(), SyntaxError("x"), EOFError(), RecursionError(),
          MemoryError(), ZeroDivisionError("two\nlines"), KeyError(3), Image.DecompressionBombError("b")]  # fmt: skip


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_a_decoder_raises_is_an_unreadable_image(error, monkeypatch):
    def load(image):
        raise error

    monkeypatch.setattr("PIL.GifImagePlugin.GifImageFile.load", load)
    with pytest.raises(UserError, match="^x.gif [^\n]*: (remove|shrink) it [^\n]*$"):
        images.decode(encoded(MODES["palette"], "GIF"), "x.gif")


def exif(*tags: tuple[int, int, int, bytes]) -> bytes:
    """EXIF of tags, each its number, type, count and four bytes."""
    rows = b"".join(struct.pack("<HHI", *tag[:3]) + tag[3].ljust(4, b"\0") for tag in tags)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + rows + bytes(4)


@pytest.mark.parametrize("other", [(0x0100, 2, 4, b"abc"), (0x011A, 3, 1, b"\1"), (0x8769, 2, 4, b"abc")])
def test_exif_of_wrong_types_loses_neither_the_image_nor_its_turn(other):
    data = encoded(MODES["gray"], "JPEG", exif=exif((0x0112, 3, 1, b"\6"), other))
    assert images.decode(data).shape == (24, 16, 3)


@pytest.mark.parametrize("tags", [b"", b"Exif\0\0nothing", exif((0x0112, 2, 4, b"abc")), exif((0x0112, 5, 9, b"zzzz"))])
def test_an_orientation_that_is_none_leaves_the_image_as_it_is(tags):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert images.decode(encoded(MODES["gray"], "JPEG", exif=tags)).shape == (16, 24, 3)


def test_a_file_of_too_many_bytes_is_not_read(tmp_path):
    path = tmp_path / "sparse.png"
    path.touch()
    os.truncate(path, 30 * 2**30)
    for read in (images.read, images.count_frames):
        with pytest.raises(UserError, match="sparse.png has 32212254720 bytes, max_bytes are 100000000: remove"):
            read(path)


def test_an_image_of_too_many_pixels_is_refused_by_its_header():
    images.set_limits(images.Limits(max_pixels=16 * 24))
    assert images.decode(encoded(MODES["gray"], "PNG")).shape == (16, 24, 3)
    images.set_limits(images.Limits(max_pixels=16 * 24 - 1))
    with pytest.raises(UserError, match="x.png has more pixels than max_pixels 383"):
        images.open_image(encoded(MODES["gray"], "PNG"), "x.png")
    with pytest.raises(UserError, match="max_frames 0: at least 1"):
        images.Limits(max_frames=0)


def test_an_animation_of_too_many_frames_is_refused(tmp_path):
    head = b"GIF89a\x10\0\x10\0\x80\0\0\0\0\0\xff\xff\xff"
    frame = b"\x2c" + bytes(4) + b"\1\0\1\0\0" + b"\x02\x02\x44\x01\0"
    (tmp_path / "many.gif").write_bytes(head + 10_000 * frame + b";")
    with pytest.raises(UserError, match="many.gif has more frames than max_frames 1000: shorten"):
        images.count_frames(tmp_path / "many.gif")


@pytest.mark.parametrize("kind", images.ANIMATED)
def test_the_first_frame_of_too_many_is_refused_too(kind):
    frames = [Image.new("RGB", (8, 6), (40 * i, 0, 0)) for i in range(6)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    images.set_limits(images.Limits(max_frames=6))
    assert images.decode(data).shape == (6, 8, 3)
    images.set_limits(images.Limits(max_frames=5))
    with pytest.raises(UserError, match="^a has more frames than max_frames 5: shorten it or raise the limit$"):
        images.decode(data, "a")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_frames_and_their_pixels_have_limits(tmp_path, kind):
    path = tmp_path / "x.img"
    frames = [Image.new("L", (20, 10), 40 * i) for i in range(6)]
    path.write_bytes(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
    images.set_limits(images.Limits(max_frames=6, max_pixels=6 * 200))
    assert images.count_frames(path) == 6
    images.set_limits(images.Limits(max_frames=5))
    with pytest.raises(UserError, match="x.img has more frames than max_frames 5"):
        images.count_frames(path)
    images.set_limits(images.Limits(max_pixels=6 * 200 - 1))
    with pytest.raises(UserError, match="x.img, with 6 frames of 20x10, has more pixels than max_pixels 1199"):
        images.read_frame(path, 0)


def test_millions_of_pages_are_not_counted(tmp_path):
    tags = {256: 8, 257: 8, 258: 8, 262: 1, 273: 8, 278: 8, 279: 64}  # of a page of 8x8 pixels
    page = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 3, 1, tags[tag]) for tag in tags)
    pages = (page + struct.pack("<I", 8 + i * (len(page) + 4)) for i in range(1, 100_001))
    (tmp_path / "x.tif").write_bytes(b"II*\0\x08\0\0\0" + b"".join(pages))
    began = time.perf_counter()
    with pytest.raises(UserError, match="x.tif has more frames than max_frames 1000"):
        images.count_frames(tmp_path / "x.tif")
    assert time.perf_counter() - began < 5


def test_images_of_many_sizes_are_summed(tmp_path):
    pages = [Image.new("L", (10 * i, 10)) for i in (1, 2, 9)]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    images.set_limits(images.Limits(max_pixels=900))
    assert images.decode(images.read_frame(tmp_path / "x.tif", 1)).shape == (10, 20, 3)
    with pytest.raises(UserError, match="x.tif has more pixels than max_pixels 900"):
        images.read_frame(tmp_path / "x.tif", 2)


def test_the_further_pictures_of_a_jpeg_are_no_animation(tmp_path):
    MODES["rgb"].save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=[MODES["rgb"]])
    assert images.count_frames(tmp_path / "x.jpg") == 1 and images.read(tmp_path / "x.jpg").shape == (16, 24, 3)


# fitting


def test_stretch_fills_the_width():
    dataset, filled = images.fit(COLOUR, 32, 128, "stretch")
    assert dataset.shape == (32, 128, 3) and filled == 128


def test_pad_keeps_the_proportions_and_fills_with_white():
    dataset, filled = images.fit(np.zeros((16, 24, 3), np.uint8), 32, 128, "pad")
    assert dataset.shape == (32, 128, 3) and filled == 48
    assert (dataset[:, :48] == 0).all() and (dataset[:, 48:] == 255).all()


def test_pad_squeezes_a_line_that_is_too_long():
    line = np.zeros((16, 400, 3), np.uint8)
    line[:, 200:] = 200
    dataset, filled = images.fit(line, 32, 128, "pad")
    assert dataset.shape == (32, 128, 3) and filled == 128
    assert (dataset[:, :60] == 0).all() and (dataset[:, 68:] == 200).all()


@pytest.mark.parametrize("size, expected", [((16, 24), 48), ((64, 24), 12), ((1000, 4), 1), ((16, 4000), 128)])
def test_the_filled_width_is_what_fit_fills(size, expected):
    assert images.resized_width(*size, 32, 128, "pad") == expected
    assert images.fit(np.zeros((*size, 3), np.uint8), 32, 128, "pad")[1] == expected
    assert images.resized_width(*size, 32, 128, "stretch") == 128
