"""The argument parser: options for all configuration keys, and checks of numbers."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import os
import re
from collections.abc import Callable, Sequence

from seqclr.cli.output import figures_file
from seqclr.errors import UserError

LISTS = {"data", "unlabelled"}  # keys that take many paths
CONFIG = "a configuration that `seqclr configs` lists, or a YAML file of keys"
RUN = "a run, or captcha, the reader of the package"
TEXT_RUN = "a run that predicts text (of adapt, finetune, or pretrained with generated images)"
READER_RUN = f"captcha, or {TEXT_RUN}"
READER = f"captcha, {TEXT_RUN}, or an export"
SPLIT = "use only rows of this split"
EVALUATED = "by default, for each source, the test rows, else the validation rows"
DATA = "folders, tables, LMDBs or packs"
LABEL_PATTERN = "take labels from file names by this pattern, such as '{text}_{any}.png'"
JSON = "write the results to this JSON file"
SEED_HELP = "random seed"
PIXELS = "that images are resized to, in pixels"
RESIZE = "stretch fills the width; pad keeps proportions and pads on the right (default: stretch)"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are a UserError of one line."""

    def error(self, message):
        raise UserError(f"{message}; see --help")


def training_arguments(parser: Parser, argv: list[str], base: type, method_of: Callable) -> tuple:
    """The parsed arguments, and the configuration keys that flags and `key=value` words set; words override flags."""
    from seqclr.config import RENAMED_KEYS, defaults_of, hint, kind, merged, renamed, settings, typed

    parser.add_argument("--output", required=True, help="folder of the run; it must not exist, except with --resume")
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint of the run")
    parser.add_argument("--config", help=CONFIG)
    parser.add_argument("--json", type=figures_file, help="write the metrics of the last round to this JSON file")
    parser.usage = f"{parser.prog} --data PATH... --output RUN [options] [key=value ...]"
    for field in dataclasses.fields(base):
        _add_key(parser, field)
    # the method's keys are options too, so the method is found first
    plain = [word for word in argv if word not in ("-h", "--help")]
    early, rest = parser.parse_known_args(["--output", "", *plain])  # required, but not for --help
    words = [word for word in split_words(early, rest) if "=" in word and not word.startswith("-")]
    keys = {**given_keys(early), **key_values(words)}
    values = settings(early.output if early.resume else None, early.config, keys)
    method = method_of(merged(values))
    own = dataclasses.fields(method)
    short = collections.Counter(field.name.rpartition(".")[2] for field in own)  # of one method in a combination
    for field in own:
        _, dot, name = field.name.rpartition(".")
        _add_key(parser, field, [name] if dot and short[name] == 1 and name != "views" else [])
    for old, new in RENAMED_KEYS.items():
        if new in {field.name for field in own}:
            parser.add_argument(f"--{old}", help=argparse.SUPPRESS)
    defaults = {field.name: field.default for field in (*dataclasses.fields(base), *own)}
    _add_defaults(parser, defaults | defaults_of(base, method, values))
    args, rest = parser.parse_known_args(argv)
    words = split_words(args, rest)
    for word in words:
        if word.startswith("-"):
            option = word.split("=")[0]
            raise UserError(f"the option '{option}' does not exist: {hint(option, parser._option_string_actions)}")
        if "=" not in word:
            parser.error(f"'{word}' is neither an option nor key=value")
    flags = renamed(given_keys(args), "the options")
    for name in LISTS & flags.keys():
        flags[name] = [word for word in flags[name] if word not in words]
    pairs = renamed(key_values(words), "the given keys")
    kinds = {field.name: kind(field) for field in (*dataclasses.fields(base), *own)}
    for name in {"output", "resume", "config", "callbacks"} & pairs.keys():
        raise UserError(f"the key '{name}' does not exist: {hint(name, kinds)}")
    keys = {name: value for name, value in flags.items() if name in kinds}
    for name, value in keys.items():  # also where a word overrides it
        typed(name, kinds[name], value)
    return args, {**keys, **pairs}


def split_words(args, rest: list[str]) -> list[str]:
    """The words that belong to no option, and the key=value words that an option for many paths has taken."""
    swallowed = [word for name in LISTS for word in getattr(args, name, None) or []]
    return [*rest, *(word for word in swallowed if "=" in word and not os.path.exists(word))]


def given_keys(args) -> dict:
    return {key: _value(value) for key, value in vars(args).items() if value is not None}


def key_values(words: list[str]) -> dict[str, str | None]:
    return {key: _value(value) for key, value in (word.split("=", 1) for word in words)}


def _value(word):
    """The value given for a key; `null` unsets it."""
    return None if word == "null" else word


def _add_key(parser: Parser, field: dataclasses.Field, more: Sequence[str] = ()) -> None:
    """Adds the option of a key. more: other names of it."""
    from seqclr.config import kind

    if kind(field) == "bool":
        form = {"action": argparse.BooleanOptionalAction}
    elif field.name in LISTS:
        form = {"nargs": "+", "metavar": "PATH"}
    else:
        form = {"metavar": re.split(r"[_.]", field.name)[-1].upper()}
    help = field.metadata.get("help", field.name).replace("%", "%%")
    names = [name.rpartition(".") for name in (field.name, *more)]
    flags = [f"--{method}{dot}{own.replace('_', '-')}" for method, dot, own in names]
    parser.add_argument(*flags, dest=field.name, help=help, **form)


def _add_defaults(parser: Parser, defaults: dict) -> None:
    """Adds the default to the help of every key. Defaults depend on the method and the encoder."""
    for action in parser._actions:
        default = defaults.get(action.dest)
        if default not in (None, dataclasses.MISSING):
            action.help += f" (default: {default})".replace("%", "%%")


def add_number(parser: Parser, flag: str, help: str, kind: str = "int", least=0, most=None, **form) -> None:
    """Adds an option for a number of a type and range."""
    from seqclr.config import LARGEST, check_range, typed

    name = flag.removeprefix("--").replace("-", "_")

    def convert(word: str):
        check_range(name, value := typed(name, kind, word), least, LARGEST if most is None else most)
        return value

    default = "" if form.get("default") is None else f" (default: {form['default']})"
    parser.add_argument(flag, type=convert, help=help + default, **form)


def add_paths(parser: Parser, name: str, help: str) -> None:
    """Adds the paths of a verb as `paths`; they may follow `--data`, as with the verbs that train."""
    form = {"dest": "paths", "action": "extend", "metavar": name}
    parser.add_argument(nargs="*", help=help, **form)
    parser.add_argument("--data", nargs="+", help=f"the same as {name}", **form)


def add_known(parser: Parser) -> None:
    """Adds the options for the known characters and lengths of texts."""
    from seqclr.data.knowledge import read_lengths

    def characters(word: str) -> str:
        if not word:
            raise UserError("charset is empty: give the characters that can occur")
        return word

    parser.add_argument("--charset", type=characters, help="all characters that occur, if they are known")
    parser.add_argument(
        "--length", type=read_lengths, metavar="N", help="all lengths that texts have, if they are known: 4, 4:6 or 4,6"
    )


def add_reading(parser: Parser, sums: str = "") -> None:
    """Adds the options of decoding."""
    from seqclr.data.sums import ANSWERS

    search = (
        "width of the beam search; 1: greedy decoding, or with --length the best path among texts of these lengths."
    )
    search += " With --length, the most probable text of these lengths in the beam or of the best path is predicted"
    add_number(parser, "--beam", search, least=1, most=1000, default=1, metavar="N")
    add_known(parser)
    parser.add_argument(
        "--answer",
        choices=ANSWERS,
        help=f"sum: predict the answer to a sum such as 3+16=?{sums} (default: text, or as the export was written)",
    )


def parse_with_limits(parser: Parser, argv: list[str]):
    """Parses the arguments of a verb that reads images, and sets the limits of image files."""
    from seqclr.config import RunConfig
    from seqclr.data.images import Limits, set_limits

    names = {field.name for field in dataclasses.fields(Limits)}
    limits = [field for field in dataclasses.fields(RunConfig) if field.name in names]
    for field in limits:
        bounds = {name: field.metadata[name] for name in ("least", "most")}
        flag, help = f"--{field.name.replace('_', '-')}", field.metadata["help"]
        add_number(parser, flag, help, **bounds, default=field.default, metavar="N")
    args = parser.parse_args(argv)
    if not getattr(args, "paths", True):
        parser.error("images are missing")
    set_limits(Limits(**{field.name: getattr(args, field.name) for field in limits}))
    return args
