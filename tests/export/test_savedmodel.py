"""The export reads as its run does: in a process without this package, from every kind of file, in any batch."""

import functools
import io
import json
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from seqclr import cli
from seqclr.data import images
from seqclr.data.knowledge import NOTHING, Known
from seqclr.data.samples import Sample
from seqclr.engine import checkpoints
from seqclr.export import folder, savedmodel
from seqclr.export.cards import reader_card
from seqclr.export.graph import ReaderGraph
from seqclr.export.reader import load_reader
from seqclr.recognition.evaluate import USES
from seqclr.recognition.recognizer import Recognizer

# Pillow rounds between its two passes and works in fixed point: a resized page may differ by one level in some pixels.
RESIZED = 0.02
EXACT = 1e-4
SIZES = [(64, 16), (88, 30), (132, 45)]  # the first is that of the model
KINDS = {
    "png": ["1", "L", "LA", "P", "RGB", "RGBA"],
    "jpg": ["L", "RGB"],
    "gif": ["1", "L", "P"],
    "bmp": ["L", "P", "RGB", "RGBA"],
}
SINGLE = """
import json, sys
sys.modules["seqclr"] = None  # cannot be imported
import tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
data = [open(file, "rb").read() for file in sys.argv[2:]]
for batch in ([data] + [[one] for one in data]):
    result = serve(image_bytes=tf.constant(batch))
    texts = [text.decode() for text in result["text"].numpy()]
    print(json.dumps(list(zip(texts, result["confidence"].numpy().tolist()))))
"""


def draw(pages: Path, number: int, mode: str, size: tuple[int, int]) -> Image.Image:
    image = Image.open(pages / "images" / f"{number:06d}.png").convert("RGB").resize(size)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.linear_gradient("L").resize(size))
    return image.convert(mode)


@pytest.fixture(scope="module")
def files(pages, tmp_path_factory) -> list[Path]:
    """Pages in every format and mode that TensorFlow decodes, in three sizes."""
    folder = tmp_path_factory.mktemp("kinds")
    combinations = [(kind, mode, size) for kind, modes in KINDS.items() for mode in modes for size in SIZES]
    for number, (kind, mode, size) in enumerate(combinations):
        draw(pages, number % 20, mode, size).save(folder / f"{number:02d}_{mode}_{size[0]}.{kind}")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def read(reader, files) -> list[tuple[str, float]]:
    """What the run reads in them."""
    read = list(Recognizer.load(reader).predict_samples(samples(files)))
    assert len({text for text, _ in read}) > len(files) / 4
    return read


@pytest.fixture(scope="module")
def padded(reader, tmp_path_factory) -> tuple[Path, Path]:
    """The run with proportions kept and the rest masked, for which no weight changes; and its export."""
    run = tmp_path_factory.mktemp("pad") / "run"
    shutil.copytree(reader, run)
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("resize: stretch", "resize: pad"))
    for path in (run / "checkpoints").iterdir():
        arrays, state = checkpoints.load(path)
        checkpoints.save(path, arrays, {**state, "facts": {**state["facts"], "resize": "pad"}})
    folder.export(run, run.with_name("export"))
    return run, run.with_name("export")


def samples(files: list[Path]) -> list[Sample]:
    return [Sample("files", str(file)) for file in files]


loaded = functools.cache(tf.saved_model.load)


def serve(folder: Path, data: list[bytes]) -> list[tuple[str, float]]:
    model = loaded(str(folder))
    return results(model.signatures["serving_default"](image_bytes=tf.constant(data)))


def results(result: dict) -> list[tuple[str, float]]:
    return list(zip([text.decode() for text in result["text"].numpy()], result["confidence"].numpy().tolist()))


def assert_same(found, wanted, files, tolerance=None) -> None:
    assert [(file.name, text) for file, (text, _) in zip(files, found)] == [
        (file.name, text) for file, (text, _) in zip(files, wanted)
    ]
    for file, (_, a), (_, b) in zip(files, found, wanted):
        assert a == pytest.approx(b, abs=tolerance or (EXACT if f"_{SIZES[0][0]}." in file.name else RESIZED)), file


def test_it_reads_without_this_package_one_by_one_and_in_a_batch(exported, files, read, tmp_path):
    command = [sys.executable, "-c", SINGLE, str(exported), *map(str, files)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    batch, *singles = map(json.loads, done.stdout.splitlines())
    assert_same(batch, read, files)
    assert_same([single for [single] in singles], batch, files, EXACT)


def test_predict_image_is_serving_default(exported, pages):
    model = loaded(str(exported))
    files = sorted((pages / "images").iterdir())[:6]
    pixels = np.stack([images.read(file) for file in files])
    direct = results(model.signatures["predict_image"](image=tf.constant(pixels)))
    assert_same(direct, serve(exported, [file.read_bytes() for file in files]), files, 1e-6)


def test_known_texts_are_constants_of_the_graph(reader, pages, eagerly):
    recognizer, known = Recognizer.load(reader), Known.of("12345678", "2,4")
    told = recognizer.knowing(known)
    files = sorted((pages / "images").iterdir())[:6]
    pixels = tf.constant(np.stack([images.fit(images.read(file), 16, 64, "stretch")[0] for file in files]))
    graph = ReaderGraph(told, known)
    found = results(savedmodel.Service(graph)._predict(pixels, None))
    assert_same(found, list(told.predict_samples(samples(files))), files, 1e-6)
    assert {len(text) for text, _ in found} <= {2, 4} and not {"0", "9"} & set("".join(text for text, _ in found))
    size, checked = (16, 64, "stretch"), "6 of 6 texts equal"
    card = reader_card(reader, graph.charset, size, known, "savedmodel", False, checked)
    assert "(8, case `keep`): `12345678`\n- Known: charset 12345678 and length 2,4. Only such" in card
    assert "Known" not in reader_card(reader, recognizer.charset, size, NOTHING, "savedmodel", False, checked)


def test_padding_reads_as_the_padded_run_does(padded, reader, files, read):
    run, export = padded
    wanted = list(load_reader(str(run)).predict_samples(samples(files)))
    assert_same(serve(export, [file.read_bytes() for file in files]), wanted, files)
    assert wanted != read


OTHERS = ["webp", "tiff", "turned", "sixteen_bits", "cmyk", "one_bit_bmp", "clear_gif", "no_end", "wrong_checksum"]


SUFFIXES = {"webp": "webp", "tiff": "tiff", "turned": "jpg", "cmyk": "jpg", "one_bit_bmp": "bmp", "clear_gif": "gif"}


def saved(page: Image.Image, kind: str, folder: Path) -> str:
    """A file of one of OTHERS."""
    file = folder / f"{kind}.{SUFFIXES.get(kind, 'png')}"
    if kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        page.rotate(90, expand=True).save(file, exif=exif)
    elif kind == "sixteen_bits":
        Image.fromarray(np.asarray(page.convert("L")).astype(np.uint16) * 257).save(file)
    elif kind in DAMAGED:
        file.write_bytes(DAMAGED[kind](encoded(page)))
    elif kind == "clear_gif":
        page.quantize(8).save(file, transparency=1)
    else:
        page = page.convert({"cmyk": "CMYK", "one_bit_bmp": "1"}.get(kind, "RGB"))
        page.save(file, **({"lossless": True} if kind == "webp" else {}))
    return str(file)


def test_what_tensorflow_does_not_decode_goes_through_predict(exported, reader, pages, tmp_path, capsys, eagerly):
    files = [saved(draw(pages, 5, "RGB", SIZES[0]), kind, tmp_path) for kind in OTHERS]
    rows = []
    for model in (reader, exported):
        assert cli.main(["predict", "--model", str(model), *files]) == 0
        rows.append([line.split("\t") for line in capsys.readouterr().out.splitlines()])
    assert len(rows[0]) == len(OTHERS)
    for (file, text, confidence, _), (_, wanted, sure, _) in zip(*rows, strict=True):
        assert text and text == wanted and float(confidence) == pytest.approx(float(sure), abs=2e-4), file


def encoded(page: Image.Image) -> bytes:
    stream = io.BytesIO()
    page.save(stream, "PNG")
    return stream.getvalue()


def with_wrong_checksum(png: bytes) -> bytes:
    start = png.index(b"IDAT")
    end = start + 4 + int.from_bytes(png[start - 4 : start], "big")
    return png[:end] + bytes([png[end] ^ 255]) + png[end + 1 :]


DAMAGED = {"no_end": lambda png: png[:-12], "wrong_checksum": with_wrong_checksum}  # Pillow decodes these all the same
BAD = {name: damage(encoded(Image.radial_gradient("L"))) for name, damage in DAMAGED.items()} | {
    "empty": b"",
    "text": b"this is no image at all, only a text",
    "half_jpeg": b"\xff\xd8\xff" + bytes(100),
    "half_gif": b"GIF89a" + bytes(20),
    "half_bmp": b"BM" + bytes(60),
}


def test_a_bad_image_in_a_batch_is_empty_and_changes_no_other(exported, files, read):
    good = [file.read_bytes() for file in files[:6]]
    batch = [data for pair in zip(good, BAD.values()) for data in pair] + list(BAD.values())[len(good) :]
    found = serve(exported, batch)
    bad = [row for data, row in zip(batch, found) if data in BAD.values()]
    assert len(bad) == len(BAD) and set(bad) == {("", 0.0)}
    assert_same([row for row in found if row not in bad], read[:6], files[:6])


def test_an_empty_batch_is_an_error_that_says_so(exported):
    with pytest.raises(tf.errors.InvalidArgumentError, match="image_bytes is empty: give at least one image"):
        loaded(str(exported)).signatures["serving_default"](image_bytes=tf.constant([], tf.string))


def test_nothing_predicted_has_no_confidence(reader, exported, tmp_path, eagerly):
    shades = (0, 128, 255)
    for shade in shades:
        Image.new("RGB", (64, 16), (shade,) * 3).save(tmp_path / f"{shade}.png")
    blank = samples([tmp_path / f"{shade}.png" for shade in shades])
    for model, beam in ((reader, 1), (reader, 5), (exported, 1)):
        for text, confidence in load_reader(str(model)).predict_samples(blank, beam):
            assert (confidence == 0) if text == "" else (0 < confidence < 1)


def test_evaluate_gives_the_run_and_its_export_the_same_figures(exported, reader, pages, tmp_path):
    figures = []
    for model in (reader, exported):
        file = tmp_path / f"{model.name}.json"
        words = ["--data", str(pages), "--split", "train", "--json", str(file)]
        assert cli.main(["evaluate", "--model", str(model), *words]) == 0
        figures.append(json.loads(file.read_text()))
        for name in ("images_per_second", *USES):  # an export does not say what it has seen
            figures[-1].pop(name, None)
    sources = [figure.pop("sources")["pages"] for figure in figures]
    confusions = [figure.pop("confusions") for figure in figures]
    assert figures[0] == pytest.approx(figures[1], abs=1e-3) and sources[0] == pytest.approx(sources[1], abs=1e-3)
    assert confusions[0] == confusions[1]


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_pixels_differ_by_one_level_at_most(reader, resize):
    recognizer = Recognizer.load(reader)
    recognizer.resize = resize
    service = savedmodel.Service(ReaderGraph(recognizer))
    rng = np.random.default_rng(0)
    for height, width in [*rng.integers((4, 4), (90, 300), (40, 2)).tolist(), (16, 64), (4, 4), (4, 500), (300, 8)]:
        image = rng.integers(0, 256, (height, width, 3), np.uint8)
        wanted, filled = images.fit(image, 16, 64, resize)
        pixels, columns = service._fit(tf.constant(image))
        assert int(columns) == filled
        assert np.abs(pixels.numpy().astype(int) - wanted).max() <= (0 if (height, width) == (16, 64) else 1)


def test_decoding_is_exact(files):
    for file in files:
        data = file.read_bytes()
        np.testing.assert_array_equal(savedmodel.decode_image(tf.constant(data)), images.decode(data), file.name)


def test_a_bmp_of_32_bits_without_alpha_is_not_white():
    image = Image.radial_gradient("L").resize((20, 8)).convert("RGB")
    data = bytearray()
    rows = np.dstack([np.asarray(image)[::-1, :, ::-1], np.zeros((8, 20), np.uint8)])  # bottom up, blue first
    data += b"BM" + (54 + rows.size).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    data += b"".join(n.to_bytes(4, "little") for n in (40, 20, 8)) + b"\x01\x00\x20\x00" + bytes(24) + rows.tobytes()
    np.testing.assert_array_equal(images.decode(bytes(data)), np.asarray(image))
    np.testing.assert_array_equal(savedmodel.decode_image(tf.constant(bytes(data))), np.asarray(image))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("mode", ["gray", "palette"])
def test_a_png_of_few_bits_is_opaque(tmp_path, bits, mode):
    levels = np.random.default_rng(bits).integers(0, 2**bits, (8, 24)).astype(np.uint8)
    palette = Image.fromarray(levels, "P") if mode == "palette" else None
    if palette is None:
        data = gray_png(levels, bits)
    else:
        palette.putpalette(np.random.default_rng(0).integers(0, 256, 3 * 2**bits).tolist())
        palette.save(tmp_path / "page.png", bits=bits)
        data = (tmp_path / "page.png").read_bytes()
    assert data[24] == bits
    np.testing.assert_array_equal(savedmodel.decode_image(tf.constant(data)), images.decode(data))


def gray_png(levels: np.ndarray, bits: int) -> bytes:
    """Pillow writes gray of 1 and 8 bits only."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    height, width = levels.shape
    shifted = (levels[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    rows = np.packbits(shifted.reshape(height, -1), axis=1)
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([bits, 0, 0, 0, 0])
    content = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def test_charset_and_model_card_are_beside_it(exported, reader):
    assert (exported / "charset.json").read_bytes() == (reader / "charset.json").read_bytes()
    card = (exported / "model_card.md").read_text(encoding="utf-8")
    assert "cannot be decoded" in card and "probability of the text" in card
    assert re.findall("^import (.*)$", card, re.MULTILINE) == ["tensorflow as tf"]  # it runs with TensorFlow alone
    assert "`0123456789`" in card and "16x64 (`stretch`)" in card and "encoder: least" in card
    assert load_reader(str(exported)).charset == Recognizer.load(reader).charset


@pytest.mark.parametrize("broken", ["export.folder.reader_card", "files.os.replace"])
def test_an_export_that_fails_says_so_and_leaves_nothing(reader, tmp_path, monkeypatch, capsys, broken):
    monkeypatch.setattr(savedmodel, "write", lambda graph, folder: None)
    monkeypatch.setattr(folder, "load_reader", lambda _: Recognizer.load(reader))

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(f"seqclr.{broken}", fail)
    assert cli.main(["export", "--model", str(reader), "--output", str(tmp_path / "export")]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("seqclr export: ") and "no space left" in told
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_sentence_and_leaves_nothing(reader, tmp_path, monkeypatch, capsys):
    def full(*args, **keys):
        raise tf.errors.ResourceExhaustedError(None, None, "x.tempstate1; No space left on device [Op:SaveV2]")

    monkeypatch.setattr(tf.saved_model, "save", full)
    assert cli.main(["export", "--model", str(reader), "--output", str(tmp_path / "out")]) == 1
    told = f"seqclr export: {tmp_path / 'out'} cannot be written (No space left on device)"
    assert capsys.readouterr().err.splitlines()[-1] == told
    assert list(tmp_path.iterdir()) == []
