"""The verbs that show methods, configurations, tasks and views, and what the features of a run hold."""

from __future__ import annotations

from seqclr.cli.arguments import (
    CONFIG,
    MEASURED,
    Parser,
    add_number,
    given_keys,
    key_values,
    parse_with_limits,
    split_words,
)
from seqclr.cli.output import figures_file, writable, write_figures
from seqclr.cli.process import import_tensorflow


def show_task(parser: Parser, argv: list[str]) -> int:
    """draws what a method shows the network, and what it must answer"""
    from seqclr.config import settings

    parser.add_argument("--method", help="as `seqclr methods` lists them (default: simclr)")
    parser.add_argument("--data", nargs="+", required=True, metavar="PATH", help="images, as for pretrain")
    parser.add_argument("--output", type=writable, required=True, metavar="OUT.png")
    parser.add_argument("--config", help=f"{CONFIG}; words key=value come after it")
    add_number(parser, "--images", "rows of the sheet", least=1, most=1000, default=8)
    args, rest = parser.parse_known_args(argv)
    words = split_words(args, rest)
    for word in words:
        if "=" not in word or word.startswith("-"):
            parser.error(f"'{word}' is neither an option nor key=value")
    import_tensorflow()
    from seqclr.pretraining.pretrain import configure
    from seqclr.pretraining.task import show_task

    keys = {"data": [path for path in args.data if path not in words], **key_values(words)}
    keys |= {"method": args.method} if args.method else {}
    show_task(configure(settings(None, args.config, keys)), args.output, args.images)
    print(args.output)
    return 0


def probe(parser: Parser, argv: list[str]) -> int:
    """what can be told from the features of a run, which stay as they are"""
    from seqclr.config import SEED

    parser.add_argument("--model", required=True, help="a run of any kind")
    parser.add_argument("--data", nargs="+", required=True, metavar="PATH", help="labelled images")
    parser.add_argument(
        "--kind",
        choices=["ctc", "linear", "knn"],
        help="texts, or classes by a linear head or by neighbours (default: ctc, knn for an image encoder)",
    )
    parser.add_argument(
        "--layer", choices=["transformer", "cnn"], default="transformer", help="whose frames (default: transformer)"
    )
    parser.add_argument("--split", help=f"rows of this split only; by default {MEASURED}, or else a fifth, are read")
    parser.add_argument("--label-pattern", help="labels in file names, as '{text}_{any}.png'")
    add_number(parser, "--labels", "learn on only so many of every source", least=1, metavar="N")
    add_number(parser, "--steps", "of the head of ctc and linear (default: 2500)", least=1, most=10**8)
    add_number(parser, "--k", "neighbours that vote, of knn (default: 200, or all labels)", least=1)
    add_number(parser, "--temperature", "of the votes of knn (default: 0.07)", "float", least=1e-3)
    add_number(parser, "--seed", "of rows, head and new weights", **SEED, default=0)
    parser.add_argument("--untrained", action="store_true", help="with new weights instead of those of the run")
    parser.add_argument("--json", type=figures_file, help="write the figures to this file")
    args = parse_with_limits(parser, argv)
    import_tensorflow()
    from seqclr.probes.probing import probe

    options = {name: value for name, value in given_keys(args).items() if name in ("steps", "k", "temperature")}
    figures = probe(
        args.model,
        args.data,
        args.kind,
        args.layer,
        args.split,
        args.label_pattern,
        args.labels,
        args.seed,
        args.untrained,
        **options,
    )
    write_figures(figures, args.json)
    return 0


def embed(parser: Parser, argv: list[str]) -> int:
    """draws the features of a run as points in a plane"""
    from seqclr.config import SEED

    parser.add_argument("--model", required=True, help="a run of any kind")
    parser.add_argument("--data", nargs="+", required=True, metavar="PATH", help="labelled images")
    parser.add_argument("--output", type=writable, required=True, metavar="OUT.png")
    parser.add_argument(
        "--layer", choices=["transformer", "cnn"], default="transformer", help="whose frames (default: transformer)"
    )
    parser.add_argument("--split", help="rows of this split only")
    parser.add_argument("--label-pattern", help="labels in file names, as '{text}_{any}.png'")
    add_number(parser, "--count", "points at most", least=1, most=100_000, default=2000)
    add_number(parser, "--seed", "of what is drawn, and where", **SEED, default=0)
    args = parse_with_limits(parser, argv)
    import_tensorflow()
    from seqclr.probes.embeddings import embed

    embed(args.model, args.data, args.output, args.layer, args.split, args.label_pattern, args.count, args.seed)
    print(args.output)
    return 0


def pseudo_labels(parser: Parser, argv: list[str]) -> int:
    """writes the clusters that a run found as labels"""
    from seqclr.config import MANY, SEED

    parser.add_argument("--model", required=True, help="a run of any kind")
    parser.add_argument("--output", required=True, metavar="OUT.csv")
    add_number(
        parser, "--clusters", "find so many in the features; default: the run's own", least=2, most=MANY, metavar="N"
    )
    parser.add_argument("--data", nargs="+", default=[], metavar="PATH", help="images (default: those of the run)")
    add_number(parser, "--seed", "of the search", **SEED, default=0)
    args = parse_with_limits(parser, argv)
    import_tensorflow()
    from seqclr.probes.pseudo_labels import pseudo_labels

    count = pseudo_labels(args.model, args.output, args.data, args.clusters, args.seed)
    print(f"{args.output}: {count} clusters")
    return 0


def methods(parser: Parser, argv: list[str]) -> int:
    """a table of the methods of pretraining"""
    parser.parse_args(argv)
    import_tensorflow()
    from seqclr.methods.table import table

    print(table())
    return 0


def configs(parser: Parser, argv: list[str]) -> int:
    """the configurations that --config takes by name"""
    parser.parse_args(argv)
    from seqclr.config import named_configs

    for name, file in named_configs().items():
        title = file.read_text(encoding="utf-8").splitlines()[0]
        print(f"{name:17} {title.removeprefix('# ')}")
    return 0


def show_views(parser: Parser, argv: list[str]) -> int:
    """draws augmented views of some images as a contact sheet"""
    from seqclr.config import SEED, SIDE

    parser.add_argument("--data", nargs="+", required=True, metavar="PATH")
    parser.add_argument("--views", default="article", help="a preset, none, or a YAML file")
    parser.add_argument("--output", type=writable, required=True, metavar="OUT.png")
    add_number(parser, "--height", "pixels that every image is brought to", **SIDE, default=32)
    add_number(parser, "--width", "pixels that every image is brought to", **SIDE, default=128)
    parser.add_argument("--resize", choices=["stretch", "pad"], default="stretch")
    add_number(parser, "--images", "rows of the sheet", least=1, most=1000, default=8)
    add_number(parser, "--copies", "views of each", least=1, most=1000, default=6)
    add_number(parser, "--seed", "of what is drawn", **SEED, default=0)
    args = parse_with_limits(parser, argv)
    from seqclr.visualization.views import show_views

    show_views(
        args.data, args.views, args.output, args.height, args.width, args.resize, args.images, args.copies, args.seed
    )
    print(args.output)
    return 0
