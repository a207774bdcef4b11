"""Writes export folders: the model, charset.json, reader.json and a card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqclr.data.knowledge import NOTHING, Known
from seqclr.errors import UserError
from seqclr.export import checks, litert, onnx, savedmodel
from seqclr.export.cards import reader_card
from seqclr.export.graph import ReaderGraph
from seqclr.export.reader import load_reader
from seqclr.files import atomic_folder, check_new
from seqclr.recognition.recognizer import Recognizer
from seqclr.runtime.folder import FORMATS, Facts


def export(
    model: str | Path,
    output: str | Path,
    form: str = "savedmodel",
    int8: bool = False,
    known: Known = NOTHING,
    data: Sequence[str] = (),
) -> None:
    """Writes the recognizer of a run in a format of FORMATS.

    The export is loaded and compared with the run before it gets its name. int8: weights of 8 bits. known: it predicts
    no other texts. data: images to compare on, by default those that the run was validated on, where they no longer
    exist generated ones. Raises UserError if `output` exists, `model` predicts no text or cannot predict such texts,
    and where the export predicts other texts than the run.
    """
    target = Path(output)
    if form not in FORMATS:
        raise UserError(f"format {form}: give {', '.join(FORMATS)}")
    if int8 and form == "savedmodel":
        raise UserError("int8: a savedmodel has float32 weights: choose the format onnx or litert, or leave int8 out")
    savedmodel.check_name(target)
    check_new(target)
    recognizer = Recognizer.load(model).knowing(known)
    known = Known(known.charset, recognizer.possible.lengths)  # those of an adapted reader too
    compared = checks.find_images(model, recognizer, data)
    graph = ReaderGraph(recognizer, known)
    size = recognizer.height, recognizer.width, recognizer.resize
    with atomic_folder(target) as beside:
        if form == "savedmodel":
            savedmodel.write(graph, beside)
        else:
            {"onnx": onnx, "litert": litert}[form].write(graph, beside / FORMATS[form], int8)
        names = sorted(path.relative_to(beside).as_posix() for path in beside.rglob("*") if path.is_file())
        graph.charset.save(beside / "charset.json")
        decision = recognizer.lengths, recognizer.threshold
        Facts(form, *size, int8, known.charset, known.lengths, *decision).save(beside, names)
        name = f"format {form}{' with int8' * int8}"
        checked = checks.check_texts(load_reader(beside), recognizer, compared, name, int8)
        card = reader_card(model, graph.charset, size, known, form, int8, checked)
        (beside / "model_card.md").write_text(card, encoding="utf-8")
