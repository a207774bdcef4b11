"""The verbs that use a recognizer: evaluate, predict, export."""

from __future__ import annotations

import sys

from seqclr.cli.arguments import MEASURED, Parser, add_number, parse_with_limits
from seqclr.cli.output import check_apart, figures_file, write_figures
from seqclr.cli.process import import_tensorflow
from seqclr.errors import UserError, printable


def evaluate(parser: Parser, argv: list[str]) -> int:
    """how well a recognizer reads labelled images"""
    parser.add_argument("--model", required=True, help="a fine-tuning run or an export")
    parser.add_argument("--data", nargs="+", required=True, metavar="PATH", help="labelled images")
    parser.add_argument("--split", help=f"rows of this split only; by default {MEASURED}, or else all")
    parser.add_argument("--label-pattern", help="labels in file names, as '{text}_{any}.png'")
    add_number(parser, "--beam", "beam search of this width, 1 is greedy", least=1, most=1000, default=1, metavar="N")
    parser.add_argument("--plots", metavar="DIR", help="write predictions, confusions and the worst errors there")
    parser.add_argument("--json", type=figures_file, help="write the figures to this file")
    args = parse_with_limits(parser, argv)
    check_apart(args.json, "plots", args.plots)
    import_tensorflow()
    from seqclr import api
    from seqclr.recognition.evaluate import table

    reader = api.load(args.model)
    figures = reader.evaluate(args.data, args.split, args.label_pattern, args.beam, args.plots)
    print(table(figures))
    write_figures(figures, args.json)
    return 0


def predict(parser: Parser, argv: list[str]) -> int:
    """reads images: one line each, of file, text and confidence, between tabs"""
    parser.add_argument("--model", required=True, help="a fine-tuning run or an export")
    add_number(parser, "--beam", "beam search of this width, 1 is greedy", least=1, most=1000, default=1, metavar="N")
    parser.add_argument("--json", type=figures_file, help="write the predictions to this file")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="files or folders")
    args = parse_with_limits(parser, argv)
    import_tensorflow()
    from seqclr.export.reader import load_reader
    from seqclr.recognition.evaluate import predict

    rows, unread = [], []
    for found in predict(load_reader(args.model), args.images, args.beam):
        if isinstance(found, UserError):
            unread.append(str(found))
            continue
        rows.append(found)
        print(f"{printable(found['file'])}\t{printable(found['text'])}\t{found['confidence']:.4f}", flush=True)
    write_figures({"predictions": rows, "unread": unread}, args.json)
    for message in unread:
        print(f"seqclr predict: {message}", file=sys.stderr)
    return 2 if unread else 0


def export(parser: Parser, argv: list[str]) -> int:
    """writes a recognizer for use elsewhere: bytes in, text and confidence out"""
    parser.add_argument("--model", required=True, help="a fine-tuning run")
    parser.add_argument("--output", required=True, help="a folder that does not exist yet")
    parser.add_argument("--format", choices=["savedmodel"], default="savedmodel")
    args = parser.parse_args(argv)
    import_tensorflow()
    from seqclr import api

    api.Reader(args.model).export(args.output)
    print(args.output)
    return 0
