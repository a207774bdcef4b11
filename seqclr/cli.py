"""The verbs: `seqclr VERB` and `tools/VERB.py` are the same functions. A verb imports what is heavy itself."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from seqclr import __version__, files, messages
from seqclr.engine import signals
from seqclr.errors import UserError, printable

LISTS = {"data", "unlabelled"}  # keys of many paths
CONFIG = "a configuration of `seqclr configs`, or a YAML file of keys"
MEASURED = "of every source the test rows, or else the validation rows"
FIGURES = b'{\n "seqclr": '  # how a file of figures begins


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line."""

    def error(self, message):
        raise UserError(f"{message}; --help lists what there is")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb; returns 0: done, 1: the work failed, 2: arguments or data wrong, 130 or 143: stopped by a signal."""
    argv = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names and texts that a terminal cannot show are escaped
            stream.reconfigure(errors="backslashreplace")
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: seqclr VERB ...\n\n" + "\n".join(f"  {verb:13} {run.__doc__}" for verb, run in VERBS.items()))
        return 0
    if argv[0] == "--version":
        print(__version__)
        return 0
    verb = argv[0]
    if verb not in VERBS:
        print(f"seqclr: there is no verb '{verb}': {', '.join(VERBS)}", file=sys.stderr)
        return 2
    set_up()
    try:
        with signals.raising(), messages.on_console():
            return VERBS[verb](Parser(prog=f"seqclr {verb}", description=VERBS[verb].__doc__), argv[1:]) or 0
    except UserError as error:
        print(f"seqclr {verb}: {error}", file=sys.stderr)
        return 2
    except signals.Stopped as stopped:
        print(f"seqclr {verb}: {stopped}", file=sys.stderr)
        return 128 + stopped.number
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        print(f"seqclr {verb}: there is not enough memory: take smaller images or fewer at a time", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk
        print(f"seqclr {verb}: {error}", file=sys.stderr)
        return 1


def set_up() -> None:
    """What a program sets for its whole process, before TensorFlow is imported."""
    # Said by every process that imports grain or TensorFlow, and nothing that a user could act on.
    logging.getLogger("absl").setLevel(logging.ERROR)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Up to 1.4 times as fast on processors where TensorFlow would leave it off: those without instructions for networks
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def program(*argv: str) -> NoReturn:
    """`main` as a process of its own: a signal that comes when all is done is late."""
    status = main([*argv, *sys.argv[1:]])
    signals.ignore()
    sys.exit(status)


def _import_tensorflow() -> None:
    """Imports it with stderr closed: it greets every process without a GPU with a page of its C++ log."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with signals.leaving(kept):
            import tensorflow

            tensorflow.config.list_physical_devices()
            tensorflow.get_logger().setLevel("ERROR")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


# verbs that train


def pretrain(parser: Parser, argv: list[str]) -> int:
    """self-supervised pretraining on images without labels"""
    _import_tensorflow()
    from seqclr.config import PretrainConfig

    with signals.leaving():
        from seqclr import api
        from seqclr.engine.pretrain import method_of

    return _train(api.pretrain, *_training_arguments(parser, argv, PretrainConfig, method_of))


def finetune(parser: Parser, argv: list[str]) -> int:
    """training on labelled images, of a pretrained encoder or from scratch"""
    _import_tensorflow()
    from seqclr.config import FinetuneConfig

    with signals.leaving():
        from seqclr import api
        from seqclr.recognize.finetune import method_of

    return _train(api.finetune, *_training_arguments(parser, argv, FinetuneConfig, method_of))


def _training_arguments(parser: Parser, argv: list[str], base: type, method_of: Callable) -> tuple:
    """Parsed arguments, and the keys of the configuration: of flags, then of `key=value` words."""
    from seqclr.config import defaults_of, hint, kind, merged, settings, typed

    parser.add_argument("--output", required=True, help="the run's folder; it must not exist, but for --resume")
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    parser.add_argument("--config", help=CONFIG)
    parser.add_argument("--json", type=_figures_file, help="write the last figures to this file")
    parser.usage = f"{parser.prog} --data PATH... --output RUN [options] [key=value ...]"
    for field in dataclasses.fields(base):
        _add_key(parser, field)
    # the method's own keys are options too, so the method must be known before all options are
    plain = [word for word in argv if word not in ("-h", "--help")]
    early, rest = parser.parse_known_args(["--output", "", *plain])  # required, but not for --help
    words = [word for word in _words(early, rest) if "=" in word and not word.startswith("-")]
    keys = {**_given(early), **_pairs(words)}
    values = settings(early.output if early.resume else None, early.config, keys)
    method = method_of(merged(values))
    own = dataclasses.fields(method)
    for field in own:
        _add_key(parser, field)
    defaults = {field.name: field.default for field in (*dataclasses.fields(base), *own)}
    _add_defaults(parser, defaults | defaults_of(base, method, values))
    args, rest = parser.parse_known_args(argv)
    words = _words(args, rest)
    for word in words:
        if word.startswith("-"):
            option = word.split("=")[0]
            raise UserError(f"the option '{option}' does not exist: {hint(option, parser._option_string_actions)}")
        if "=" not in word:
            parser.error(f"'{word}' is neither an option nor key=value")
    flags = _given(args)
    for name in LISTS & flags.keys():
        flags[name] = [word for word in flags[name] if word not in words]
    pairs = _pairs(words)
    kinds = {field.name: kind(field) for field in (*dataclasses.fields(base), *own)}
    for name in {"output", "resume", "config", "callbacks"} & pairs.keys():
        raise UserError(f"the key '{name}' does not exist: {hint(name, kinds)}")
    keys = {name: value for name, value in flags.items() if name in kinds}
    for name, value in keys.items():  # also where a word comes after it
        typed(name, kinds[name], value)
    return args, {**keys, **pairs}


def _words(args, rest: list[str]) -> list[str]:
    """The words that belong to no option, those too that an option of many paths before them has swallowed."""
    swallowed = [word for name in LISTS for word in getattr(args, name, None) or []]
    return [*rest, *(word for word in swallowed if "=" in word and not Path(word).exists())]


def _given(args) -> dict:
    return {key: _value(value) for key, value in vars(args).items() if value is not None}


def _pairs(words: list[str]) -> dict[str, str | None]:
    return {key: _value(value) for key, value in (word.split("=", 1) for word in words)}


def _value(word):
    """What is given for a key: `null` takes away what a file or a default says."""
    return None if word == "null" else word


def _add_key(parser: Parser, field: dataclasses.Field) -> None:
    from seqclr.config import kind

    if kind(field) == "bool":
        form = {"action": argparse.BooleanOptionalAction}
    elif field.name in LISTS:
        form = {"nargs": "+", "metavar": "PATH"}
    else:
        form = {"metavar": field.name.rsplit("_")[-1].upper()}
    help = field.metadata.get("help", f"of {field.name}").replace("%", "%%")
    parser.add_argument(f"--{field.name.replace('_', '-')}", dest=field.name, help=help, **form)


def _add_defaults(parser: Parser, defaults: dict) -> None:
    """Adds to the help of every key what it is by default, which depends on the method and the encoder."""
    for action in parser._actions:
        default = defaults.get(action.dest)
        if default not in (None, dataclasses.MISSING):
            action.help += f" (default: {default})".replace("%", "%%")


def _add_number(parser: Parser, flag: str, help: str, kind: str = "int", least=0, most=None, **form) -> None:
    """An option that is a number of a kind within a range."""
    from seqclr.config import LARGEST, check_range, typed

    name = flag.removeprefix("--").replace("-", "_")

    def read(word: str):
        check_range(name, value := typed(name, kind, word), least, LARGEST if most is None else most)
        return value

    default = "" if form.get("default") is None else f" (default: {form['default']})"
    parser.add_argument(flag, type=read, help=help + default, **form)


def _train(train: Callable, args, keys: dict) -> int:
    from seqclr.engine.cluster import leave

    _check_apart(args.json, "output", args.output)
    status = _trained(lambda: train(output=args.output, resume=args.resume, config=args.config, **keys), args)
    leave(status)
    return status


def _trained(train: Callable, args) -> int:
    from seqclr.engine.trainer import Interrupted, TrainingFailed

    try:
        run = train()
    except Interrupted as stopped:
        print(f"{stopped}; the same command with --resume goes on", file=sys.stderr)
        return 0 if stopped.number == signal.SIGTERM else 130
    except TrainingFailed as error:
        print(f"seqclr: {error}", file=sys.stderr)
        return 1
    _report(run.figures, args.json)
    print(args.output)
    return 0


def _parse_with_limits(parser: Parser, argv: list[str]):
    """The arguments of a verb that reads images, and what their files may hold, which counts from now on."""
    from seqclr.data.images import Limits, set_limits

    limits = dataclasses.fields(Limits)
    for field in limits:
        name = field.name.replace("_", "-")
        _add_number(parser, f"--{name}", "limit of a file", least=1, most=2**40, default=field.default, metavar="N")
    args = parser.parse_args(argv)
    set_limits(Limits(**{field.name: getattr(args, field.name) for field in limits}))
    return args


def _writable(file: str) -> str:
    """The file, refused before the work where it could not be written after it."""
    folder = Path(file).parent
    if not folder.is_dir():
        raise UserError(f"{file} cannot be written: there is no folder {folder}")
    if Path(file).is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"{file} cannot be written: check the path")
    return file


def _figures_file(file: str) -> str:
    """The file, refused too where there is one that `_report` has not written."""
    path = Path(_writable(file))
    if path.is_file():
        with open(path, "rb") as stream:
            if stream.read(len(FIGURES)) != FIGURES:
                raise UserError(f"{file} exists already and holds no figures of seqclr: choose another --json")
    return file


def _check_apart(file: str | None, name: str, folder: str | None) -> None:
    """Raises UserError where the figures would go to the path that becomes a folder."""
    if file is not None and folder is not None and os.path.abspath(file) == os.path.abspath(folder):
        raise UserError(f"--json {file} is the folder of --{name}: choose another --json")


def _report(figures: dict, file: str | None) -> None:
    """Writes the figures; raises OSError where they cannot be written."""
    if file is None:
        return
    text = json.dumps({"seqclr": __version__, **figures}, indent=1, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", "backslashreplace")  # \\udcff of a name is an escape of JSON too
    if Path(file).exists() and not Path(file).is_file():  # such as /dev/stdout
        Path(file).write_bytes(content)
        return
    with files.whole(Path(file), binary=True) as stream:
        stream.write(content)


def launch(parser: Parser, argv: list[str]) -> int:
    """several workers of one training, all on this machine"""
    parser.usage = f"{parser.prog} --local N -- VERB ..."
    _add_number(parser, "--local", "how many workers", least=1, most=64, required=True, metavar="N")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="pretrain or finetune, with what belongs to it")
    args = parser.parse_args(argv)
    from seqclr.engine.launch import launch

    return launch(args.local, [word for word in args.words if word != "--"])


def show_task(parser: Parser, argv: list[str]) -> int:
    """draws what a method shows the network, and what it must answer"""
    from seqclr.config import settings

    parser.add_argument("--method", help="as `seqclr methods` lists them (default: simclr)")
    parser.add_argument("--data", nargs="+", required=True, metavar="PATH", help="images, as for pretrain")
    parser.add_argument("--output", type=_writable, required=True, metavar="OUT.png")
    parser.add_argument("--config", help=f"{CONFIG}; words key=value come after it")
    _add_number(parser, "--images", "rows of the sheet", least=1, most=1000, default=8)
    args, rest = parser.parse_known_args(argv)
    words = _words(args, rest)
    for word in words:
        if "=" not in word or word.startswith("-"):
            parser.error(f"'{word}' is neither an option nor key=value")
    _import_tensorflow()
    from seqclr.engine.pretrain import configure
    from seqclr.engine.show_task import show_task

    keys = {"data": [path for path in args.data if path not in words], **_pairs(words)}
    keys |= {"method": args.method} if args.method else {}
    show_task(configure(settings(None, args.config, keys)), args.output, args.images)
    print(args.output)
    return 0


# verbs that use a recognizer


def evaluate(parser: Parser, argv: list[str]) -> int:
    """how well a recognizer reads labelled images"""
    parser.add_argument("--model", required=True, help="a fine-tuning run or an export")
    parser.add_argument("--data", nargs="+", required=True, metavar="PATH", help="labelled images")
    parser.add_argument("--split", help=f"rows of this split only; by default {MEASURED}, or else all")
    parser.add_argument("--label-pattern", help="labels in file names, as '{text}_{any}.png'")
    _add_number(parser, "--beam", "beam search of this width, 1 is greedy", least=1, most=1000, default=1, metavar="N")
    parser.add_argument("--plots", metavar="DIR", help="write predictions, confusions and the worst errors there")
    parser.add_argument("--json", type=_figures_file, help="write the figures to this file")
    args = _parse_with_limits(parser, argv)
    _check_apart(args.json, "plots", args.plots)
    _import_tensorflow()
    from seqclr import api
    from seqclr.recognize.evaluate import table

    reader = api.load(args.model)
    figures = reader.evaluate(args.data, args.split, args.label_pattern, args.beam, args.plots)
    print(table(figures))
    _report(figures, args.json)
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
    _add_number(parser, "--labels", "learn on only so many of every source", least=1, metavar="N")
    _add_number(parser, "--steps", "of the head of ctc and linear (default: 2500)", least=1, most=10**8)
    _add_number(parser, "--k", "neighbours that vote, of knn (default: 200, or all labels)", least=1)
    _add_number(parser, "--temperature", "of the votes of knn (default: 0.07)", "float", least=1e-3)
    _add_number(parser, "--seed", "of rows, head and new weights", **SEED, default=0)
    parser.add_argument("--untrained", action="store_true", help="with new weights instead of those of the run")
    parser.add_argument("--json", type=_figures_file, help="write the figures to this file")
    args = _parse_with_limits(parser, argv)
    _import_tensorflow()
    from seqclr.probe.probing import probe

    options = {name: value for name, value in _given(args).items() if name in ("steps", "k", "temperature")}
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
    _report(figures, args.json)
    return 0


def embed(parser: Parser, argv: list[str]) -> int:
    """draws the features of a run as points in a plane"""
    from seqclr.config import SEED

    parser.add_argument("--model", required=True, help="a run of any kind")
    parser.add_argument("--data", nargs="+", required=True, metavar="PATH", help="labelled images")
    parser.add_argument("--output", type=_writable, required=True, metavar="OUT.png")
    parser.add_argument(
        "--layer", choices=["transformer", "cnn"], default="transformer", help="whose frames (default: transformer)"
    )
    parser.add_argument("--split", help="rows of this split only")
    parser.add_argument("--label-pattern", help="labels in file names, as '{text}_{any}.png'")
    _add_number(parser, "--count", "points at most", least=1, most=100_000, default=2000)
    _add_number(parser, "--seed", "of what is drawn, and where", **SEED, default=0)
    args = _parse_with_limits(parser, argv)
    _import_tensorflow()
    from seqclr.probe.embeddings import embed

    embed(args.model, args.data, args.output, args.layer, args.split, args.label_pattern, args.count, args.seed)
    print(args.output)
    return 0


def pseudo_labels(parser: Parser, argv: list[str]) -> int:
    """writes the clusters that a run found as labels"""
    from seqclr.config import MANY, SEED

    parser.add_argument("--model", required=True, help="a run of any kind")
    parser.add_argument("--output", required=True, metavar="OUT.csv")
    _add_number(
        parser, "--clusters", "find so many in the features; default: the run's own", least=2, most=MANY, metavar="N"
    )
    parser.add_argument("--data", nargs="+", default=[], metavar="PATH", help="images (default: those of the run)")
    _add_number(parser, "--seed", "of the search", **SEED, default=0)
    args = _parse_with_limits(parser, argv)
    _import_tensorflow()
    from seqclr.probe.pseudo_labels import pseudo_labels

    count = pseudo_labels(args.model, args.output, args.data, args.clusters, args.seed)
    print(f"{args.output}: {count} clusters")
    return 0


def methods(parser: Parser, argv: list[str]) -> int:
    """a table of the methods of pretraining"""
    parser.parse_args(argv)
    _import_tensorflow()
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


def predict(parser: Parser, argv: list[str]) -> int:
    """reads images: one line each, of file, text and confidence, between tabs"""
    parser.add_argument("--model", required=True, help="a fine-tuning run or an export")
    _add_number(parser, "--beam", "beam search of this width, 1 is greedy", least=1, most=1000, default=1, metavar="N")
    parser.add_argument("--json", type=_figures_file, help="write the predictions to this file")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="files or folders")
    args = _parse_with_limits(parser, argv)
    _import_tensorflow()
    from seqclr.recognize.evaluate import predict

    rows, unread = [], []
    for found in predict(args.model, args.images, args.beam):
        if isinstance(found, UserError):
            unread.append(str(found))
            continue
        rows.append(found)
        print(f"{printable(found['file'])}\t{printable(found['text'])}\t{found['confidence']:.4f}", flush=True)
    _report({"predictions": rows, "unread": unread}, args.json)
    for message in unread:
        print(f"seqclr predict: {message}", file=sys.stderr)
    return 2 if unread else 0


def export(parser: Parser, argv: list[str]) -> int:
    """writes a recognizer for use elsewhere: bytes in, text and confidence out"""
    parser.add_argument("--model", required=True, help="a fine-tuning run")
    parser.add_argument("--output", required=True, help="a folder that does not exist yet")
    parser.add_argument("--format", choices=["savedmodel"], default="savedmodel")
    args = parser.parse_args(argv)
    _import_tensorflow()
    from seqclr import api

    api.Reader(args.model).export(args.output)
    print(args.output)
    return 0


# verbs about data


def check(parser: Parser, argv: list[str]) -> int:
    """what is wrong with a data set, before a run pays for it"""
    from seqclr.config import SIDE

    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--charset", help="the characters that are allowed (default: those of the labels)")
    parser.add_argument("--case", choices=["keep", "lower", "upper"], default="keep")
    _add_number(parser, "--height", "pixels that every image is brought to", **SIDE, default=32)
    _add_number(parser, "--width", "pixels that every image is brought to", **SIDE, default=128)
    parser.add_argument("--resize", choices=["stretch", "pad"], default="stretch")
    parser.add_argument("--label-pattern", help="labels in file names, as '{text}_{any}.png'")
    parser.add_argument("--fix", metavar="OUT.csv", help="write the list without what would hurt")
    parser.add_argument("--json", type=_figures_file, help="write the findings to this file")
    args = _parse_with_limits(parser, argv)
    from seqclr.data.check import check

    report = check(
        args.paths, args.charset, args.case, args.height, args.width, args.resize, args.label_pattern, args.fix
    )
    print(report.text())
    _report(report.figures(), args.json)
    return 2 if report.hurts else 0


def pack(parser: Parser, argv: list[str]) -> int:
    """any images and their texts in few large files, which many machines read fast"""
    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--output", required=True, metavar="DIR", help="a folder that does not exist yet")
    parser.add_argument("--split", help="rows of this split only")
    parser.add_argument("--label-pattern", help="labels in file names, as '{text}_{any}.png'")
    _add_number(parser, "--shard-size", "images a file", least=1, default=100_000, metavar="N")
    args = _parse_with_limits(parser, argv)
    from seqclr.data.pack import pack

    pack(args.paths, args.output, args.split, args.label_pattern, args.shard_size)
    print(args.output)
    return 0


def synth(parser: Parser, argv: list[str]) -> int:
    """generated captchas to practise on"""
    from seqclr.config import SEED

    parser.add_argument("--output", required=True, help="a folder that does not exist yet")
    _add_number(parser, "--count", "labelled images", required=True)
    parser.add_argument("--style", default="login", help="a preset or a YAML file; an unknown name lists the presets")
    _add_number(parser, "--seed", "of what is drawn", **SEED, default=0)
    _add_number(parser, "--test", "how many of them get the split test", default=0)
    _add_number(parser, "--unlabelled", "further images without labels", default=0)
    parser.add_argument("--characters", help="instead of the style's")
    parser.add_argument("--length", help="characters on an image, as 4 or 4:6, instead of the style's")
    parser.add_argument(
        "--fonts", help="a .ttf or .otf file, a folder of them or a bundled font, instead of the style's"
    )
    args = parser.parse_args(argv)
    from seqclr.data.synth import generate

    own = {name: getattr(args, name) for name in ("characters", "length", "fonts")}
    generate(args.output, args.count, args.style, args.seed, args.test, args.unlabelled, **own)
    print(args.output)
    return 0


def show_views(parser: Parser, argv: list[str]) -> int:
    """draws augmented views of some images as a contact sheet"""
    from seqclr.config import SEED, SIDE

    parser.add_argument("--data", nargs="+", required=True, metavar="PATH")
    parser.add_argument("--views", default="article", help="a preset, none, or a YAML file")
    parser.add_argument("--output", type=_writable, required=True, metavar="OUT.png")
    _add_number(parser, "--height", "pixels that every image is brought to", **SIDE, default=32)
    _add_number(parser, "--width", "pixels that every image is brought to", **SIDE, default=128)
    parser.add_argument("--resize", choices=["stretch", "pad"], default="stretch")
    _add_number(parser, "--images", "rows of the sheet", least=1, most=1000, default=8)
    _add_number(parser, "--copies", "views of each", least=1, most=1000, default=6)
    _add_number(parser, "--seed", "of what is drawn", **SEED, default=0)
    args = _parse_with_limits(parser, argv)
    from seqclr.recipes.sheet import show_views

    show_views(
        args.data, args.views, args.output, args.height, args.width, args.resize, args.images, args.copies, args.seed
    )
    print(args.output)
    return 0


VERBS = {
    verb.__name__.replace("_", "-"): verb
    for verb in (
        pretrain,
        finetune,
        launch,
        methods,
        configs,
        show_task,
        probe,
        embed,
        pseudo_labels,
        evaluate,
        predict,
        export,
        check,
        pack,
        synth,
        show_views,
    )
}

if __name__ == "__main__":
    program()
