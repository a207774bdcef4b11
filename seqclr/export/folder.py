"""Writes export folders: the model, charset.json, reader.json and a card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqclr.data.knowledge import NOTHING, Known
from seqclr.engine.run import Run
from seqclr.engine.setup import load_encoder
from seqclr.errors import UserError
from seqclr.export import checks, litert, onnx, savedmodel
from seqclr.export.cards import encoder_card, reader_card
from seqclr.export.graph import EncoderGraph, ReaderGraph
from seqclr.export.reader import load_reader
from seqclr.files import atomic_folder, check_new
from seqclr.messages import say
from seqclr.recognition.recognizer import Recognizer
from seqclr.runtime.arithmetic import checked
from seqclr.runtime.folder import CHARSET, ENCODER, FORMATS, Facts
from seqclr.runtime.sessions import OnnxSession


def export(
    model: str | Path,
    output: str | Path,
    form: str = "savedmodel",
    int8: bool = False,
    known: Known = NOTHING,
    data: Sequence[str] = (),
    answer: str = "text",
) -> None:
    """Writes the recognizer of a run in a format of FORMATS.

    The texts of the export are compared with those of the run before it gets its name. int8: weights of 8 bits. known:
    it predicts no other texts. data: images to compare on, by default those that the run was validated on or adapted
    to, where they no longer exist generated ones. answer: what `seqclr` predicts with it, as of `answering`. Raises
    UserError if `output` exists, `model` predicts no text or cannot predict such texts, for answers of a SavedModel,
    whose graph gives texts, and where the export predicts other texts or confidences than the run.
    """
    if form not in FORMATS:
        raise UserError(f"format {form}: give {', '.join(FORMATS)}")
    if int8 and form == "savedmodel":
        raise UserError("int8: a savedmodel has float32 weights: choose the format onnx or litert, or leave int8 out")
    if checked(answer) == "sum" and form == "savedmodel":
        raise UserError("answer sum: a savedmodel gives the texts themselves: choose the format onnx or litert")
    target = _new(output)
    recognizer = Recognizer.load(model).knowing(known)
    given, known = known.lengths, Known(known.charset, recognizer.possible.lengths)  # those of an adapted reader too
    graph, size = ReaderGraph(recognizer, known), (recognizer.height, recognizer.width, recognizer.resize)
    compared = checks.find_images(size, data, checks.seen_by(model), recognizer.charset.characters)
    with atomic_folder(target) as beside:
        if form == "savedmodel":
            savedmodel.write(graph, beside)
        else:
            {"onnx": onnx, "litert": litert}[form].write(graph, beside / FORMATS[form], int8)
        graph.charset.save(beside / CHARSET)
        names = sorted(path.relative_to(beside).as_posix() for path in beside.rglob("*") if path.is_file())
        decision = recognizer.lengths, recognizer.threshold
        Facts(form, *size, int8, known.charset, known.lengths, *decision, answer, given).save(beside, names)
        name = f"format {form}{' with int8' * int8}"
        result = checks.check_predictions(load_reader(beside), recognizer, compared, name, int8)
        card = reader_card(model, graph.charset, size, known, form, int8, result, answer)
        (beside / "model_card.md").write_text(card, encoding="utf-8")
    say(f"{name}: {result}")


def export_encoder(model: str | Path, output: str | Path, data: Sequence[str] = ()) -> None:
    """Writes the encoder of any run as ONNX, with a card.

    It is loaded and compared with the run before it gets its name, on `data`, by default on generated images. Raises
    UserError if `output` exists, where the features differ, and for an encoder of images with depth.
    """
    target, run = _new(output), Run.open(model)
    encoder, config = load_encoder(model), run.config()
    if encoder.channels == 4:
        raise UserError(f"{model} sees images with depth, for which exports have no input: use seqclr.load_encoder")
    graph, size = EncoderGraph(encoder, config.resize), (config.height, config.width, config.resize)
    compared = checks.find_images(size, data)
    with atomic_folder(target) as beside:
        onnx.write(graph, beside / ENCODER)
        session = OnnxSession(beside / ENCODER)
        checked = checks.check_features(
            lambda pixels, widths: session.predict(pixels, widths)["features"], encoder, compared
        )
        card = encoder_card(model, size, encoder.grid[1] if encoder.lines else 1, encoder.dim, checked)
        (beside / "model_card.md").write_text(card, encoding="utf-8")
    say(f"format onnx: {checked}")


def _new(output: str | Path) -> Path:
    """The folder to write. Raises UserError where it exists or cannot be made."""
    target = Path(output)
    savedmodel.check_name(target)
    check_new(target)
    return target
