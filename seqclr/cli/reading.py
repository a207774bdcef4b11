"""The verbs for recognizers: evaluate, predict, match, export."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from seqclr.cli.arguments import (
    EVALUATED,
    JSON,
    LABEL_PATTERN,
    READER,
    READER_RUN,
    SPLIT,
    Parser,
    add_known,
    add_paths,
    add_reading,
    parse_with_limits,
)
from seqclr.cli.output import check_apart, figures_file, write_figures
from seqclr.cli.process import import_tensorflow
from seqclr.errors import UserError, printable


def evaluate(parser: Parser, argv: list[str]) -> int:
    """evaluate a recognizer on labelled images"""
    parser.add_argument("--model", required=True, help=READER)
    parser.add_argument("--data", nargs="+", required=True, metavar="PATH", help="labelled images")
    parser.add_argument("--split", help=f"{SPLIT}; {EVALUATED}, else all")
    parser.add_argument("--label-pattern", help=LABEL_PATTERN)
    add_reading(parser, "; labels are the answers")
    parser.add_argument(
        "--plots", metavar="DIR", help="write tables and figures of predictions, confusions and errors to this folder"
    )
    parser.add_argument("--json", type=figures_file, help=JSON)
    args = parse_with_limits(parser, argv)
    check_apart(args.json, "plots", args.plots)
    import_tensorflow()
    from seqclr import api
    from seqclr.recognition.evaluate import table

    reader = api.load(args.model)
    known = {"charset": args.charset, "length": args.length, "answer": args.answer}
    figures = reader.evaluate(args.data, args.split, args.label_pattern, args.beam, args.plots, **known)
    print(table(figures))
    write_figures(figures, args.json)
    return 0


def predict(parser: Parser, argv: list[str]) -> int:
    """predict the text in images; prints file, text, confidence, and accept or refuse, separated by tabs"""
    parser.add_argument("--model", required=True, help=READER)
    add_reading(parser)
    parser.add_argument("--json", type=figures_file, help="write the predictions to this JSON file")
    add_paths(parser, "IMAGE", "image files or folders of images")
    args = parse_with_limits(parser, argv)
    from seqclr.data.knowledge import Known
    from seqclr.decision import ANSWERS
    from seqclr.export.reader import load_reader, needs_tensorflow
    from seqclr.recognition.predict import predict
    from seqclr.runtime.arithmetic import answering

    search = args.beam > 1
    if needs_tensorflow(args.model, search):
        import_tensorflow()
    reader = answering(load_reader(args.model, search).knowing(Known(args.charset, args.length)), args.answer)
    rows = predict(reader, args.paths, args.beam)
    return report(
        "predict",
        "predictions",
        rows,
        lambda row: (row["text"], f"{row['confidence']:.4f}", ANSWERS[row["accept"]]),
        args.json,
    )


def match(parser: Parser, argv: list[str]) -> int:
    """choose the best of some words for each image, by a run of method clip; prints file, word and probability"""
    parser.add_argument("--model", required=True, help="a run of pretrain --method clip")
    parser.add_argument(
        "--words", required=True, help="the words, separated by commas, or a text file with one in each line"
    )
    parser.add_argument("--json", type=figures_file, help="write the results to this JSON file")
    add_paths(parser, "IMAGE", "image files or folders of images")
    args = parse_with_limits(parser, argv)
    words = read_words(args.words)
    import_tensorflow()
    from seqclr.recognition.matching import Matcher
    from seqclr.recognition.predict import match

    rows = match(Matcher.load(args.model).among(words), args.paths)
    return report("match", "matches", rows, lambda row: (row["word"], f"{row['probability']:.4f}"), args.json)


def read_words(given: str) -> list[str]:
    """The words of an argument, or of the lines of the file that it names."""
    if not os.path.isfile(given):
        if "," not in given:
            raise UserError(f"--words {given} is neither a file nor several words separated by commas")
        return [word.strip() for word in given.split(",")]
    try:
        lines = Path(given).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"--words {given} cannot be read as UTF-8 text: {error}") from None
    return [line.strip() for line in lines if line.strip()]


def report(verb: str, name: str, found: Iterable[dict | UserError], columns: Callable, file: str | None) -> int:
    """Prints a line for each image, and the errors at the end; writes both as JSON, the lines as `name`.

    columns: a function of a result to what is printed after the file. Returns the exit code.
    """
    rows, unread = [], []
    for row in found:
        if isinstance(row, UserError):
            unread.append(str(row))
            continue
        rows.append(row)
        print(printable(row["file"]), *map(printable, columns(row)), sep="\t", flush=True)
    write_figures({name: rows, "unread": unread}, file)
    for message in unread:
        print(f"seqclr {verb}: {message}", file=sys.stderr)
    return 2 if unread else 0


def export(parser: Parser, argv: list[str]) -> int:
    """export a recognizer, or an encoder, for use without training: SavedModel, ONNX or LiteRT"""
    from seqclr.data.sums import ANSWERS

    parser.add_argument("--model", required=True, help=f"{READER_RUN}; with --encoder any run")
    parser.add_argument("--output", required=True, help="new folder for the export")
    parser.add_argument(
        "--format",
        choices=["savedmodel", "onnx", "litert"],
        help="savedmodel: bytes of image files in, runs with TensorFlow alone; onnx: for onnxruntime; litert: for "
        "LiteRT (default: savedmodel, with --encoder onnx)",
    )
    parser.add_argument("--int8", action="store_true", help="weights of 8 bits, in onnx and litert")
    parser.add_argument("--encoder", action="store_true", help="export the encoder alone, as ONNX: images to features")
    add_known(parser)
    parser.add_argument(
        "--answer",
        choices=ANSWERS,
        default="text",
        help="sum: seqclr predicts the answers to sums such as 3+16=? with it, in onnx and litert",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        metavar="PATH",
        default=[],
        help="images on which the export is compared with the run: the same texts and confidences are needed, "
        "with --int8 99%% of the texts (default: those that the run was validated on or adapted to, else generated "
        "ones)",
    )
    args = parse_with_limits(parser, argv)
    if args.encoder:
        given = {"--format": args.format not in (None, "onnx"), "--int8": args.int8}
        given |= {"--charset": args.charset, "--length": args.length, "--answer": args.answer != "text"}
        for option in (name for name, value in given.items() if value):
            raise UserError(f"{option} is for readers: with --encoder, the encoder is exported as ONNX in float32")
    import_tensorflow()
    from seqclr import api

    if args.encoder:
        api.Run(args.model).export_encoder(args.output, data=args.data)
    else:
        known = {"charset": args.charset, "length": args.length, "answer": args.answer}
        form = args.format or "savedmodel"
        api.Reader(args.model).export(args.output, form, int8=args.int8, data=args.data, **known)
    print(args.output)
    return 0
