"""The verbs that list methods and configurations, draw tasks and views, and evaluate features."""

from __future__ import annotations

from seqclr.cli.arguments import (
    CONFIG,
    EVALUATED,
    JSON,
    LABEL_PATTERN,
    PIXELS,
    RESIZE,
    RUN,
    SEED_HELP,
    SPLIT,
    Parser,
    add_number,
    given_keys,
    key_values,
    parse_with_limits,
    split_words,
)
from seqclr.cli.output import figures_file, writable, write_figures
from seqclr.cli.process import import_tensorflow

LAYER = {
    "choices": ["transformer", "cnn"],
    "default": "transformer",
    "help": "layer that the features are taken from (default: transformer)",
}


def show_task(parser: Parser, argv: list[str]) -> int:
    """draw the inputs and targets of a pretraining method"""
    from seqclr.config import settings

    parser.add_argument("--method", help="a method that `seqclr methods` lists (default: simclr)")
    parser.add_argument(
        "--data", nargs="+", required=True, metavar="PATH", help="folders of images, tables, LMDBs or packs"
    )
    parser.add_argument("--output", type=writable, required=True, metavar="OUT.png", help="new image file")
    parser.add_argument("--config", help=f"{CONFIG}; key=value words override it")
    add_number(parser, "--images", "number of images, one per row", least=1, most=1000, default=8)
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
    """evaluate the frozen features of a run with a CTC, linear or k-NN probe"""
    from seqclr.config import SEED

    parser.add_argument("--model", required=True, help=RUN)
    parser.add_argument("--data", nargs="+", required=True, metavar="PATH", help="labelled images")
    parser.add_argument(
        "--kind",
        choices=["ctc", "linear", "knn"],
        help="ctc predicts texts; linear and knn predict classes (default: ctc for lines, knn for images)",
    )
    parser.add_argument("--layer", **LAYER)
    parser.add_argument(
        "--split", help=f"{SPLIT}, a fifth of them for evaluation; {EVALUATED}, else a fifth, are for evaluation"
    )
    parser.add_argument("--label-pattern", help=LABEL_PATTERN)
    add_number(parser, "--labels", "training samples per source (default: all)", least=1, metavar="N")
    add_number(parser, "--steps", "training steps of the head, for ctc and linear (default: 2500)", least=1, most=10**8)
    add_number(parser, "--k", "number of neighbours, for knn (default: 200, or all samples)", least=1)
    add_number(parser, "--temperature", "temperature of the votes, for knn (default: 0.07)", "float", least=1e-3)
    add_number(parser, "--seed", SEED_HELP, **SEED, default=0)
    parser.add_argument(
        "--untrained", action="store_true", help="use randomly initialized weights instead of those of the run"
    )
    parser.add_argument("--json", type=figures_file, help=JSON)
    args = parse_with_limits(parser, argv)
    import_tensorflow()
    from seqclr.probes.probing import probe

    options = {name: value for name, value in given_keys(args).items() if name in ("steps", "k", "temperature")}
    names = ("model", "data", "kind", "layer", "split", "label_pattern", "labels", "seed", "untrained")
    figures = probe(**{name: getattr(args, name) for name in names}, **options)
    write_figures(figures, args.json)
    return 0


def embed(parser: Parser, argv: list[str]) -> int:
    """draw the frozen features of a run as a t-SNE scatter plot"""
    from seqclr.config import SEED

    parser.add_argument("--model", required=True, help=RUN)
    parser.add_argument("--data", nargs="+", required=True, metavar="PATH", help="labelled images")
    parser.add_argument("--output", type=writable, required=True, metavar="OUT.png", help="new image file")
    parser.add_argument("--layer", **LAYER)
    parser.add_argument("--split", help=SPLIT)
    parser.add_argument("--label-pattern", help=LABEL_PATTERN)
    add_number(parser, "--count", "largest number of points", least=1, most=100_000, default=2000)
    add_number(parser, "--seed", SEED_HELP, **SEED, default=0)
    args = parse_with_limits(parser, argv)
    import_tensorflow()
    from seqclr.probes.embeddings import embed

    names = ("model", "data", "output", "layer", "split", "label_pattern", "count", "seed")
    embed(**{name: getattr(args, name) for name in names})
    print(args.output)
    return 0


def pseudo_labels(parser: Parser, argv: list[str]) -> int:
    """write the clusters of a run as labels"""
    from seqclr.config import MANY, SEED

    parser.add_argument("--model", required=True, help=RUN)
    parser.add_argument("--output", required=True, metavar="OUT.csv", help="new CSV file")
    add_number(
        parser,
        "--clusters",
        "cluster the features by k-means into so many (default: the clusters of the run)",
        least=2,
        most=MANY,
        metavar="N",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="PATH",
        help="images to label, with --clusters (default: those of the run)",
    )
    add_number(parser, "--seed", SEED_HELP, **SEED, default=0)
    args = parse_with_limits(parser, argv)
    import_tensorflow()
    from seqclr.probes.pseudo_labels import pseudo_labels

    count = pseudo_labels(args.model, args.output, args.data, args.clusters, args.seed)
    print(f"{args.output}: {count} clusters")
    return 0


def methods(parser: Parser, argv: list[str]) -> int:
    """list the pretraining methods in a table"""
    parser.parse_args(argv)
    import_tensorflow()
    from seqclr.methods.table import table

    print(table())
    return 0


def configs(parser: Parser, argv: list[str]) -> int:
    """list the configurations that --config takes by name"""
    parser.parse_args(argv)
    from seqclr.config import named_configs

    for name, file in named_configs().items():
        title = file.read_text(encoding="utf-8").splitlines()[0]
        print(f"{name:17} {title.removeprefix('# ')}")
    return 0


def show_views(parser: Parser, argv: list[str]) -> int:
    """draw augmented views of images as a contact sheet"""
    from seqclr.config import SEED, SIDE

    parser.add_argument(
        "--data", nargs="+", required=True, metavar="PATH", help="folders of images, tables, LMDBs or packs"
    )
    parser.add_argument(
        "--views", default="article", help="augmentations: a preset, none, or a YAML file (default: article)"
    )
    parser.add_argument("--output", type=writable, required=True, metavar="OUT.png", help="new image file")
    add_number(parser, "--height", f"height {PIXELS}", **SIDE, default=32)
    add_number(parser, "--width", f"width {PIXELS}", **SIDE, default=128)
    parser.add_argument("--resize", choices=["stretch", "pad"], default="stretch", help=RESIZE)
    add_number(parser, "--images", "number of images, one per row", least=1, most=1000, default=8)
    add_number(parser, "--copies", "number of views per image", least=1, most=1000, default=6)
    add_number(parser, "--seed", SEED_HELP, **SEED, default=0)
    args = parse_with_limits(parser, argv)
    from seqclr.visualization.views import show_views

    names = ("data", "views", "output", "height", "width", "resize", "copies", "seed")
    show_views(**{name: getattr(args, name) for name in names}, count=args.images)
    print(args.output)
    return 0
