"""The verbs for datasets: check, pack, synth, translate."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from seqclr.cli.arguments import (
    DATA,
    LABEL_PATTERN,
    PIXELS,
    READER_RUN,
    RESIZE,
    SEED_HELP,
    SPLIT,
    Parser,
    add_number,
    add_paths,
    parse_with_limits,
)
from seqclr.cli.output import check_apart, figures_file, writable, write_figures
from seqclr.cli.process import import_tensorflow
from seqclr.cli.training import trained
from seqclr.errors import UserError

if TYPE_CHECKING:
    from seqclr.curation.check import Finding


def check(parser: Parser, argv: list[str]) -> int:
    """check a dataset for errors before training"""
    from seqclr.config import SIDE

    add_paths(parser, "PATH", DATA)
    parser.add_argument("--charset", help="allowed characters (default: those of the labels)")
    parser.add_argument(
        "--case", choices=["keep", "lower", "upper"], default="keep", help="case that labels are converted to"
    )
    add_number(parser, "--height", f"height {PIXELS}", **SIDE, default=32)
    add_number(parser, "--width", f"width {PIXELS}", **SIDE, default=128)
    parser.add_argument("--resize", choices=["stretch", "pad"], default="stretch", help=RESIZE)
    parser.add_argument("--label-pattern", help=LABEL_PATTERN)
    parser.add_argument(
        "--fix", metavar="OUT.csv", help="write a list of the samples without errors to this new CSV file"
    )
    parser.add_argument("--json", type=figures_file, help="write the findings to this JSON file")
    parser.add_argument(
        "--model",
        help=f"also list labels that this reader contradicts: {READER_RUN}; labels that it was trained on are judged "
        "by readers that are trained on the others",
    )
    parser.add_argument("--output", metavar="DIR", help="new folder for that list, its sheet and these readers")
    parser.add_argument("--resume", action="store_true", help="continue the training of these readers in --output")
    folds = "parts of the labels, each judged by a reader that is trained on the others"
    add_number(parser, "--folds", folds, least=2, most=20, default=2)
    steps = "training steps of each of these readers (default: those of --model, at most 1000)"
    add_number(parser, "--steps", steps, least=1, most=10**8)
    args = parse_with_limits(parser, argv)
    for option in ("output", "resume", "steps"):
        if getattr(args, option) and args.model is None:
            raise UserError(f"--{option} is for --model: give a reader, or leave it out")
    if args.model is not None and args.output is None:
        raise UserError("--model needs --output: name a new folder for the labels that it contradicts")
    check_apart(args.json, "output", args.output)
    if args.model is not None:
        import_tensorflow()
        from seqclr.recognition.label_errors import check_arguments

        check_arguments(args.model, args.output, args.resume)
    from seqclr.curation.check import check

    size = args.height, args.width, args.resize
    of_data = partial(check, args.paths, args.charset, args.case, *size, args.label_pattern, args.fix)
    if args.model is None:
        report = of_data()
    else:
        report, status = trained(lambda: of_data(lambda: _contradicted(args)))
        if report is None:
            return status
    print(report.text())
    write_figures(report.figures(), args.json)
    return 2 if report.harmful else 0


def _contradicted(args) -> list[Finding]:
    """The labels that the reader contradicts and whose prediction it accepts, the surest contradiction first."""
    from seqclr.curation.check import Finding
    from seqclr.recognition.label_errors import find_label_errors

    found = find_label_errors(
        args.model, args.paths, args.output, args.label_pattern, args.folds, args.steps, args.resume
    )
    return [Finding("contradicted", (each.name,), each.message()) for each in found if each.sure]


def pack(parser: Parser, argv: list[str]) -> int:
    """pack images and labels into a few large files for fast reading"""
    from seqclr.data.shards import SHARD_SIZE

    add_paths(parser, "PATH", DATA)
    parser.add_argument("--output", required=True, metavar="DIR", help="new folder for the pack")
    parser.add_argument("--split", help=SPLIT)
    parser.add_argument("--label-pattern", help=LABEL_PATTERN)
    add_number(parser, "--shard-size", "images per file", least=1, default=SHARD_SIZE, metavar="N")
    args = parse_with_limits(parser, argv)
    from seqclr.curation.pack import pack

    pack(args.paths, args.output, args.split, args.label_pattern, args.shard_size)
    print(args.output)
    return 0


def synth(parser: Parser, argv: list[str]) -> int:
    """generate labelled captchas"""
    from seqclr.config import SEED

    parser.add_argument("--output", required=True, help="new folder for the images")
    add_number(parser, "--count", "number of labelled images", required=True)
    parser.add_argument(
        "--style", default="login", help="a preset or a YAML file; an unknown name lists the presets (default: login)"
    )
    add_number(parser, "--seed", SEED_HELP, **SEED, default=0)
    add_number(parser, "--test", "number of labelled images in split test", default=0)
    add_number(parser, "--unlabelled", "number of additional images without labels", default=0)
    parser.add_argument("--characters", help="characters to draw (default: those of the style)")
    parser.add_argument("--length", help="characters per image, such as 4 or 4:6 (default: that of the style)")
    parser.add_argument(
        "--fonts", help="a .ttf or .otf file, a folder of them, or a bundled font (default: those of the style)"
    )
    args = parser.parse_args(argv)
    from seqclr.synthesis.generate import generate

    own = {name: getattr(args, name) for name in ("characters", "length", "fonts")}
    generate(args.output, args.count, args.style, args.seed, args.test, args.unlabelled, **own)
    print(args.output)
    return 0


def translate(parser: Parser, argv: list[str]) -> int:
    """translate images into another domain, by a run of cut, cyclegan or pix2pix"""
    add_paths(parser, "IMAGES", DATA)
    parser.add_argument("--model", required=True, help="a run of pretrain --method cut, cyclegan or pix2pix")
    parser.add_argument("--output", required=True, metavar="DIR", help="new folder for images and labels.csv")
    parser.add_argument("--back", action="store_true", help="translate in the other direction, of cyclegan")
    parser.add_argument("--preview", type=writable, metavar="OUT.png", help="draw some translations into this new file")
    args = parse_with_limits(parser, argv)
    import_tensorflow()
    from seqclr import api

    print(api.translate(args.paths, args.model, args.output, back=args.back, preview=args.preview))
    return 0
