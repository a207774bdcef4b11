"""An export that is incomplete, changed or of another version is refused with one sentence, in every format alike."""

import io
import json
import shutil
import zlib

import numpy as np
import pytest
from PIL import Image

import seqclr
from seqclr import readers
from seqclr.export.reader import load_reader, needs_tensorflow
from seqclr.runtime.folder import CHARSET, FORMATS, NAME, Facts, load

CAPTCHA = readers.FOLDER / "captcha"


@pytest.fixture(params=FORMATS)
def export(request, tmp_path):
    """An export whose graph is never loaded, because something else is wrong before."""
    folder = tmp_path / "export"
    (folder / "variables").mkdir(parents=True)
    shutil.copy(CAPTCHA / "charset.json", folder)
    names = [FORMATS[request.param], "variables/variables.index", CHARSET]
    for name in names[:2]:
        (folder / name).write_bytes(name.encode())
    Facts(request.param, 32, 128, "stretch", lengths=(4, 5), threshold=0.7).save(folder, names)
    facts, _ = load(folder)
    assert (facts.format, facts.lengths, facts.threshold) == (request.param, (4, 5), 0.7)
    return folder


def change(folder, **values):
    given = json.loads((folder / NAME).read_text())
    (folder / NAME).write_text(json.dumps({**given, **values}))


FAULTS = {
    "version": (lambda f: change(f, version=2, seqclr="9.1"), "is an export of another version, made by seqclr 9.1"),
    "no_facts": (lambda f: (f / NAME).unlink(), "has no reader.json: it is half copied, or an export of an older"),
    "no_weights": (
        lambda f: (f / "variables/variables.index").unlink(),
        "has no variables/variables.index: it is",
    ),
    "no_charset": (lambda f: (f / "charset.json").unlink(), "has no charset.json: it is half copied"),
    "charset_of_another": (
        lambda f: (f / "charset.json").write_text('{"characters": "ab", "case": "keep"}'),
        "charset.json has another content than when it was exported: copy the export again",
    ),
    "no_digest": (lambda f: change(f, files={}), r"reader.json is damaged \(no digest of"),
    "cut": (lambda f: (f / "variables/variables.index").write_bytes(b"v"), "variables.index has another content"),
    "half_facts": (lambda f: (f / NAME).write_text('{"seqclr": "0.'), "reader.json cannot be read"),
    "a_list": (lambda f: (f / NAME).write_text("[]"), "reader.json is damaged"),
    "no_size": (lambda f: change(f, height=None), r"reader.json is damaged \(height None\)"),
    "outside": (lambda f: change(f, files={"../x": ""}), "reader.json is damaged"),
    "more": (lambda f: change(f, colour=1), "reader.json is damaged"),
    "words": (lambda f: change(f, threshold="high"), r"reader.json is damaged \(threshold high\)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_sentence(export, fault):
    damage, why = FAULTS[fault]
    damage(export)
    with pytest.raises(seqclr.UserError, match=why) as raised:
        load_reader(export)
    assert str(export) in str(raised.value) and "\n" not in str(raised.value)


def test_what_is_no_reader_is_refused_without_tensorflow(tmp_path):
    for path, why in ((tmp_path, "it has no config.yaml"), (tmp_path / "none", "there is no such folder")):
        assert not needs_tensorflow(path)
        with pytest.raises(seqclr.UserError, match=f"{path} is not a run or an export: {why}"):
            load_reader(path)


def test_a_graph_that_the_runtime_refuses_is_one_sentence(export):
    with pytest.raises(seqclr.UserError, match="(cannot be loaded|is damaged or not an export).*: export it again$"):
        load_reader(export)


@pytest.fixture
def onnx(tmp_path):
    """The released reader without its run."""
    folder = tmp_path / "onnx"
    folder.mkdir()
    for name in ("model.onnx", "charset.json", NAME):
        shutil.copy(CAPTCHA / name, folder)
    return seqclr.load(folder)


def test_known_texts_are_taken_by_an_export_made_without_and_by_no_other(onnx):
    image = np.zeros((32, 128), np.uint8)
    [prediction] = onnx.predict([image], charset="abc", length=2)
    assert len(prediction.text) == 2 and set(prediction.text) <= set("abc")
    change(onnx.folder, charset="abc")
    with pytest.raises(seqclr.UserError, match="length 2: .* was exported with charset abc: export the run again"):
        seqclr.load(onnx.folder).predict([image], length=2)
    seqclr.load(onnx.folder).predict([image], charset="cba")  # that is known already
    with pytest.raises(seqclr.UserError, match="has no beam search"):
        onnx.predict([image], beam=2)


def test_accept_follows_the_threshold_and_the_lengths_of_the_export(onnx):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (32, 128), np.uint8)
    [sure] = onnx.predict([image], length=3)
    for values, accept in (
        ({"threshold": 0.0}, True),
        ({"threshold": 1.0}, False),
        ({"threshold": 0.0, "lengths": [4]}, True),  # a known length counts
    ):
        change(onnx.folder, **values)
        [prediction] = seqclr.load(onnx.folder).predict([image], length=3)
        assert prediction == (sure.text, sure.confidence, accept)


def png_that_claims(side: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (8, 8)).save(stream, "PNG")
    data = bytearray(stream.getvalue())
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def animation(frames: int) -> bytes:
    """A GIF whose first frame is repeated."""
    stream = io.BytesIO()
    Image.new("P", (8, 8)).save(stream, "GIF")
    data = stream.getvalue()
    start = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
    return data[:start] + data[start:-1] * frames + b";"


@pytest.mark.parametrize(
    "images, why",
    [
        ([], "predict got an empty list: give at least one image"),
        ([png_that_claims(50_000)], "image 0 has more pixels than max_pixels 50000000: shrink it or raise the limit"),
        ([animation(10_000)], "image 0 has more frames than max_frames 1000: shorten it or raise the limit"),
    ],
    ids=["empty", "bomb", "animation"],
)
def test_what_no_reader_takes_is_one_sentence_before_any_graph_runs(onnx, images, why, monkeypatch):
    monkeypatch.setattr(type(onnx._model._session), "predict", None)
    with pytest.raises(seqclr.UserError, match=f"^{why}$"):
        onnx.predict(images)
