"""The verbs about data sets: check, pack, synth."""

from __future__ import annotations

from seqclr.cli.arguments import Parser, add_number, parse_with_limits
from seqclr.cli.output import figures_file, write_figures


def check(parser: Parser, argv: list[str]) -> int:
    """what is wrong with a data set, before a run pays for it"""
    from seqclr.config import SIDE

    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--charset", help="the characters that are allowed (default: those of the labels)")
    parser.add_argument("--case", choices=["keep", "lower", "upper"], default="keep")
    add_number(parser, "--height", "pixels that every image is brought to", **SIDE, default=32)
    add_number(parser, "--width", "pixels that every image is brought to", **SIDE, default=128)
    parser.add_argument("--resize", choices=["stretch", "pad"], default="stretch")
    parser.add_argument("--label-pattern", help="labels in file names, as '{text}_{any}.png'")
    parser.add_argument("--fix", metavar="OUT.csv", help="write the list without what would hurt")
    parser.add_argument("--json", type=figures_file, help="write the findings to this file")
    args = parse_with_limits(parser, argv)
    from seqclr.curation.check import check

    report = check(
        args.paths, args.charset, args.case, args.height, args.width, args.resize, args.label_pattern, args.fix
    )
    print(report.text())
    write_figures(report.figures(), args.json)
    return 2 if report.hurts else 0


def pack(parser: Parser, argv: list[str]) -> int:
    """any images and their texts in few large files, which many machines read fast"""
    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--output", required=True, metavar="DIR", help="a folder that does not exist yet")
    parser.add_argument("--split", help="rows of this split only")
    parser.add_argument("--label-pattern", help="labels in file names, as '{text}_{any}.png'")
    add_number(parser, "--shard-size", "images a file", least=1, default=100_000, metavar="N")
    args = parse_with_limits(parser, argv)
    from seqclr.curation.pack import pack

    pack(args.paths, args.output, args.split, args.label_pattern, args.shard_size)
    print(args.output)
    return 0


def synth(parser: Parser, argv: list[str]) -> int:
    """generated captchas to practise on"""
    from seqclr.config import SEED

    parser.add_argument("--output", required=True, help="a folder that does not exist yet")
    add_number(parser, "--count", "labelled images", required=True)
    parser.add_argument("--style", default="login", help="a preset or a YAML file; an unknown name lists the presets")
    add_number(parser, "--seed", "of what is drawn", **SEED, default=0)
    add_number(parser, "--test", "how many of them get the split test", default=0)
    add_number(parser, "--unlabelled", "further images without labels", default=0)
    parser.add_argument("--characters", help="instead of the style's")
    parser.add_argument("--length", help="characters on an image, as 4 or 4:6, instead of the style's")
    parser.add_argument(
        "--fonts", help="a .ttf or .otf file, a folder of them or a bundled font, instead of the style's"
    )
    args = parser.parse_args(argv)
    from seqclr.synthesis.generate import generate

    own = {name: getattr(args, name) for name in ("characters", "length", "fonts")}
    generate(args.output, args.count, args.style, args.seed, args.test, args.unlabelled, **own)
    print(args.output)
    return 0
