"""ONNX and LiteRT predict as the recognizer does, and an export that does not is refused."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr import cli
from seqclr.data import images as images_of
from seqclr.data.charset import Charset
from seqclr.data.knowledge import NOTHING, Known, Possible
from seqclr.engine.setup import load_encoder
from seqclr.errors import UserError
from seqclr.export import checks, folder, litert, onnx
from seqclr.export.graph import EncoderGraph, ReaderGraph
from seqclr.methods.text.ctc import ctc_head
from seqclr.nn.encoders import build_encoder
from seqclr.recognition.recognizer import Recognizer
from seqclr.runtime import constrained as in_numpy
from seqclr.runtime.folder import load
from seqclr.runtime.reader import ExportedReader
from seqclr.runtime.sessions import SESSIONS, OnnxSession
from tests import networks

FREE = (NOTHING, "stretch")
KNOWN = (Known.of("abd", "2,5"), "pad")  # with loops for images whose best path has another length
FORMS = {
    "onnx known": ("onnx", *KNOWN, False),
    "onnx int8": ("onnx", *FREE, True),
    "litert known": ("litert", *KNOWN, False),
    "litert int8": ("litert", *FREE, True),
}
SLOW = ("onnx known", "onnx int8", "litert known")


@pytest.fixture(scope="module")
def network() -> tuple:
    """An encoder and a head with random weights."""
    keras.utils.set_random_seed(0)
    with networks.offered():
        encoder = build_encoder("least", 16, 32, "convolutional")
    head = ctc_head(encoder.dim, 5, 0.0, [])
    kernel, bias = head.weights[-2:]
    kernel.assign(6 * np.random.default_rng(0).standard_normal(kernel.shape) / np.sqrt(kernel.shape[0]))
    bias.assign(np.zeros(5))
    return encoder, head


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (24, 4, 8, 3), np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    widths = rng.integers(4, 33, 24).astype(np.int32)
    pixels[np.arange(32) >= widths[:, None, None].repeat(16, axis=1)] = 255
    return pixels, widths


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in FORMS])
def test_a_graph_has_the_outputs_of_the_recognizer(network, images, tmp_path, name):
    form, known, resize, int8 = FORMS[name]
    recognizer = Recognizer(*network, Charset("abcd"), 16, 32, resize)
    reader = recognizer.knowing(known)
    graph, file = ReaderGraph(reader, known), tmp_path / f"model.{form}"
    {"onnx": onnx, "litert": litert}[form].write(graph, file.with_suffix(".tflite" if form == "litert" else ""), int8)
    [file] = tmp_path.iterdir()
    pixels, widths = images
    outputs = SESSIONS[form](file).predict(pixels, widths)
    assert set(outputs) == {"ids", "confidence", "log_probabilities"}
    texts = [graph.charset.decode(row[row < len(graph.charset)]) for row in outputs["ids"]]
    wanted, confidence = zip(*reader.predict_batch(pixels, widths if resize == "pad" else None))
    assert len(set(wanted)) > 4
    if int8:
        logits, valid = reader.logits(tf.constant(pixels), None)
        difference = np.abs(outputs["log_probabilities"] - tf.nn.log_softmax(logits).numpy())
        assert 0 < difference.mean() < 0.2  # 0.5 and more where products overflow
        return
    assert texts == list(wanted)
    np.testing.assert_allclose(outputs["confidence"], confidence, atol=1e-4)
    if known != NOTHING:
        frames = outputs["log_probabilities"]
        ids, again = in_numpy.predict(frames, Possible(None, known.lengths))
        assert [graph.charset.decode(row[row < len(graph.charset)]) for row in ids] == texts
        np.testing.assert_allclose(again, confidence, atol=1e-4)
        assert {len(text) for text in texts} <= {0, 2, 5} and "c" not in "".join(texts)
        best = recognizer.knowing(Known.of("abd")).predict_batch(pixels, widths)
        assert {len(text) for text, _ in best} - {2, 5}  # the loops have run


def test_an_export_gives_the_mean_features_of_its_encoder(network, images, tmp_path):
    recognizer = Recognizer(*network, Charset("abcd"), 16, 32, "pad")
    onnx.write(ReaderGraph(recognizer), tmp_path / "model.onnx")
    recognizer.charset.save(tmp_path / "charset.json")
    folder.Facts("onnx", 16, 32, "pad").save(tmp_path, ["charset.json", "model.onnx"])
    pixels, widths = images
    features, valid = network[0](pixels, tf.constant(widths))
    assert not valid.numpy().all()
    wanted = [each[shown].mean(axis=0) for each, shown in zip(features.numpy(), valid.numpy())]
    for reader in (recognizer, ExportedReader(tmp_path)):
        np.testing.assert_allclose(reader.features(pixels, widths), wanted, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "litert"])
@pytest.mark.parametrize(("size", "resize"), [("tiny", "pad"), ("small", "stretch"), ("base", "pad"), ("fast", "pad")])
def test_every_size_of_encoder_is_exported(images, tmp_path, size, resize, form):
    keras.utils.set_random_seed(0)
    encoder = build_encoder(size, 16, 32, "convolutional")
    recognizer = Recognizer(encoder, ctc_head(encoder.dim, 5, 0.0, []), Charset("abcd"), 16, 32, resize)
    graph, file = ReaderGraph(recognizer, NOTHING), tmp_path / {"onnx": "model.onnx", "litert": "model.tflite"}[form]
    {"onnx": onnx, "litert": litert}[form].write(graph, file, False)
    pixels, widths = images
    found = SESSIONS[form](file).predict(pixels, widths)["log_probabilities"]
    logits, mask = recognizer.logits(tf.constant(pixels), tf.constant(widths) if resize == "pad" else None)
    wanted, shown = tf.nn.log_softmax(logits).numpy(), np.ones(found.shape[:2], bool) if mask is None else mask.numpy()
    np.testing.assert_allclose(found[shown], wanted[shown], atol=1e-3)


def test_the_encoder_of_lines_and_of_images(images, tmp_path):
    pixels, widths = images
    with networks.offered():
        for name, resize in (("least", "pad"), ("least_picture", "stretch")):
            encoder = build_encoder(name, 16, 32, "none")
            onnx.write(EncoderGraph(encoder, resize), tmp_path / name)
            outputs = OnnxSession(tmp_path / name).predict(pixels, widths)
            features, mask = encoder(pixels, tf.constant(widths) if resize == "pad" else None)
            np.testing.assert_allclose(outputs["features"], features, atol=1e-4)
            assert ("mask" in outputs) == (mask is not None)


class Texts:
    """A reader that predicts the given texts, with the given confidences or 0.5."""

    def __init__(self, *texts, confidences=()):
        self.predictions = list(zip(texts, confidences or [0.5] * len(texts)))

    def predict_images(self, arrays):
        self.rounded = tf.config.experimental.tensor_float_32_execution_enabled()
        return self.predictions


def hundred():
    names = [f"{index}.png" for index in range(100)]
    return checks.Images(names, [np.zeros((8, 8, 3), np.uint8)] * 100, "validation images", False)


@pytest.mark.parametrize(
    "int8, wrong, refused", [(False, 1, True), (False, 0, False), (True, 2, True), (True, 1, False)]
)
def test_an_export_that_predicts_other_texts_is_refused(int8, wrong, refused):
    run, exported = Texts(*["12"] * 100), Texts(*["12"] * (100 - wrong), *["7"] * wrong)
    told = f"{100 - wrong} of 100 texts ({100 - wrong}.00%) equal those of the run, "
    if not refused:
        assert checks.check_predictions(exported, run, hundred(), "format onnx", int8).startswith(told)
        return
    told += f"in validation images (such as '7' for '12' in {100 - wrong}.png), and {99 if int8 else 100}%"
    with pytest.raises(UserError, match=re.escape(f"format onnx: {told}")):
        checks.check_predictions(exported, run, hundred(), "format onnx", int8)


@pytest.mark.parametrize("confidence", [0.5 + 2 * checks.CONFIDENCE, 0.5 - 2 * checks.CONFIDENCE, np.nan])
def test_an_export_with_another_confidence_is_refused(confidence):
    run, exported = Texts(*["12"] * 100), Texts(*["12"] * 100, confidences=[0.5] * 97 + [confidence] + [0.5] * 2)
    told = f"format onnx: the confidence of '12' in 97.png is {confidence:.6f}, and 0.500000 in the run, a difference"
    with pytest.raises(UserError, match=re.escape(told)):
        checks.check_predictions(exported, run, hundred(), "format onnx", False)


def test_the_check_tells_how_much_confidences_differ():
    run = Texts(*["12"] * 100)
    exported = Texts("7", *["12"] * 99, confidences=[0.9, *[0.5, 0.504] * 49, 0.502])
    told = checks.check_predictions(exported, run, hundred(), "format onnx", True)  # the mean where texts are equal
    assert told.endswith("the run, their confidences differ by 2.0e-03 on average, in validation images")
    exported = Texts(*["12"] * 100, confidences=[0.5, 0.5004] * 50)
    told = checks.check_predictions(exported, run, hundred(), "format onnx", False)
    assert told.endswith("the run, their confidences differ by at most 4.0e-04, in validation images")


def test_a_gpu_does_not_round_during_the_check():
    rounds = tf.config.experimental.tensor_float_32_execution_enabled
    run = Texts(*["12"] * 100)
    assert rounds() and checks.check_predictions(run, run, hundred(), "format onnx", False)
    assert not run.rounded and rounds()


def test_nothing_is_left_of_a_refused_export(reader, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(onnx, "write", lambda graph, file, int8: file.write_bytes(b"a model"))
    monkeypatch.setattr(folder, "load_reader", lambda _: Texts("1", "2", "3", "4"))
    assert cli.main(["export", "--model", str(reader), "--format", "onnx", "--output", str(tmp_path / "out")]) == 2
    assert "equal those of the run, in validation images" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_lengths_that_a_user_gave_are_told_from_those_of_the_run(reader, tmp_path, monkeypatch):
    adapted = Recognizer.load(reader).knowing(Known.of(None, 4))
    monkeypatch.setattr(Recognizer, "load", lambda _: adapted)
    monkeypatch.setattr(onnx, "write", lambda graph, file, int8: file.write_bytes(b"a model"))
    monkeypatch.setattr(folder, "load_reader", lambda _: adapted)
    for known, length, given in ((NOTHING, (4,), None), (Known.of(None, "3,4"), (3, 4), (3, 4))):
        monkeypatch.setattr(checks, "check_predictions", lambda *_: "equal")
        monkeypatch.setattr(checks, "find_images", lambda *_: None)
        folder.export(reader, tmp_path / str(len(length)), "onnx", known=known)
        facts = load(tmp_path / str(len(length)))[0]
        assert (facts.length, facts.given) == (length, given)


def test_an_export_folder_predicts_as_its_run(reader, pages, tmp_path, capsys):
    output = tmp_path / "onnx"
    words = ["--format", "onnx", "--answer", "sum", "--output", str(output)]
    assert cli.main(["export", "--model", str(reader), *words]) == 0
    assert load(output)[0].answer == "sum"  # the check compares texts
    assert {path.name for path in output.iterdir()} == {"model.onnx", "charset.json", "reader.json", "model_card.md"}
    card = (output / "model_card.md").read_text(encoding="utf-8")
    told = r"texts \(100.00%\) equal those of the run, their confidences differ by at most \d.\de-\d\d, in"
    assert re.search(told, card)
    capsys.readouterr()
    rows = []
    for model in (reader, output):
        words = ["--model", str(model), "--length", "3:9", "--answer", "text"]
        assert cli.main(["predict", *words, str(pages / "images")]) == 0
        rows.append([line.split("\t") for line in capsys.readouterr().out.splitlines()])
    assert [row[:2] for row in rows[0]] == [row[:2] for row in rows[1]]
    assert cli.main(["export", "--model", str(output), "--output", str(tmp_path / "again")]) == 2
    assert "is an export" in capsys.readouterr().err


@pytest.mark.slow
def test_the_code_on_the_card_of_an_encoder_gives_its_features(reader, pages, tmp_path, capsys):
    output, file = tmp_path / "encoder", sorted((pages / "images").iterdir())[0]
    assert cli.main(["export", "--model", str(reader), "--encoder", "--output", str(output)]) == 0
    card = (output / "model_card.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0].replace("FOLDER", str(output)).replace("image.png", str(file))
    names: dict = {}
    exec(code, names)
    image, _ = images_of.fit(images_of.read(file), 16, 64, "stretch")
    features = load_encoder(reader)(image[None])[0].numpy()
    assert np.abs(names["features"] - features).max() < 0.01 * np.abs(features).max()  # the card rounds between passes
    capsys.readouterr()
    assert cli.main(["predict", "--model", str(output), str(file)]) == 2
    assert "it is an exported encoder, which predicts no text" in capsys.readouterr().err
