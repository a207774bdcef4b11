"""The verbs for datasets: check, pack, synth."""

from __future__ import annotations

from seqclr.cli.arguments import (
    LABEL_PATTERN,
    PIXELS,
    RESIZE,
    SEED_HELP,
    SPLIT,
    Parser,
    add_number,
    parse_with_limits,
)
from seqclr.cli.output import figures_file, write_figures


def check(parser: Parser, argv: list[str]) -> int:
    """check a dataset for errors before training"""
    from seqclr.config import SIDE

    parser.add_argument("paths", nargs="+", metavar="PATH", help="folders, tables, LMDBs or packs")
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
    args = parse_with_limits(parser, argv)
    from seqclr.curation.check import check

    report = check(
        args.paths, args.charset, args.case, args.height, args.width, args.resize, args.label_pattern, args.fix
    )
    print(report.text())
    write_figures(report.figures(), args.json)
    return 2 if report.hurts else 0


def pack(parser: Parser, argv: list[str]) -> int:
    """pack images and labels into a few large files for fast reading"""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="folders, tables, LMDBs or packs")
    parser.add_argument("--output", required=True, metavar="DIR", help="new folder for the pack")
    parser.add_argument("--split", help=SPLIT)
    parser.add_argument("--label-pattern", help=LABEL_PATTERN)
    add_number(parser, "--shard-size", "images per file", least=1, default=100_000, metavar="N")
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
