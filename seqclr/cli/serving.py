"""The verbs that answer over HTTP: serve, label."""

from __future__ import annotations

from pathlib import Path

from seqclr.cli.arguments import DATA, READER, Parser, add_known, add_number, add_paths, parse_with_limits
from seqclr.cli.process import import_tensorflow
from seqclr.errors import UserError
from seqclr.serve.options import Options

DEFAULTS = Options()


def serve(parser: Parser, argv: list[str]) -> int:
    """serve readers over HTTP: image in, text, confidence and accept out, as JSON"""
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="an export, a run or captcha, also as NAME=FOLDER; the first is the default",
    )
    parser.add_argument(
        "--host", default=DEFAULTS.host, help=f"address to listen on (default: {DEFAULTS.host}, this machine alone)"
    )
    add_number(parser, "--port", "port to listen on; 0 takes any that is free", most=65_535, default=DEFAULTS.port)
    parser.add_argument(
        "--token-file", metavar="FILE", help="a file with the token that every request must have (default: no token)"
    )
    parser.add_argument("--certificate", metavar="FILE", help="PEM file of the certificate for HTTPS (default: HTTP)")
    parser.add_argument(
        "--key", metavar="FILE", help="PEM file of the certificate's key, if it is not in the same file"
    )
    add_number(parser, "--max-bytes", "bytes of a request at most", least=1, default=DEFAULTS.max_bytes, metavar="N")
    add_number(parser, "--max-pixels", "pixels of an image at most", least=16, default=DEFAULTS.max_pixels, metavar="N")
    add_number(parser, "--queue", "images that wait for a reader at most", least=1, default=DEFAULTS.queue, metavar="N")
    limit = "seconds in which a request arrives, and then is predicted"
    add_number(parser, "--timeout", limit, "float", least=0.1, most=3600, default=DEFAULTS.timeout, metavar="SECONDS")
    parser.add_argument(
        "--keep",
        metavar="DIR",
        help="write images that clients send feedback on, with their texts, to DIR/MODEL on this machine, for improve "
        "and finetune, and the first confidences, to tell after a restart that a site has changed (default: nothing is "
        "written)",
    )
    size = "bytes of the kept images of each model at most; the oldest are removed first"
    add_number(parser, "--keep-bytes", size, least=1, most=10**13, default=DEFAULTS.keep_bytes, metavar="N")
    age = "days that images are kept at most"
    add_number(parser, "--keep-days", age, "float", least=0.001, most=36_500, default=DEFAULTS.keep_days, metavar="N")
    args = parser.parse_args(argv)
    token = None if args.token_file is None else read_token(args.token_file)
    from seqclr.export.reader import needs_tensorflow
    from seqclr.serve import server

    if any(map(needs_tensorflow, server.named(args.models).values())):
        import_tensorflow()
    names = (
        "host",
        "port",
        "certificate",
        "key",
        "max_bytes",
        "max_pixels",
        "queue",
        "timeout",
        "keep",
        "keep_bytes",
        "keep_days",
    )
    options = Options(token=token, **{name: getattr(args, name) for name in names})
    return server.serve(args.models, options)


def label(parser: Parser, argv: list[str]) -> int:
    """label images in a web page on this machine, with predictions to confirm or correct"""
    from seqclr.labelling.strategies import DEFAULT, STRATEGIES

    add_paths(parser, "IMAGES", DATA)
    parser.add_argument(
        "--labels", required=True, metavar="FILE.csv", help="CSV file for the labels; labels that it has are continued"
    )
    parser.add_argument("--model", default="captcha", help=f"{READER} (default: captcha)")
    add_known(parser)
    parser.add_argument(
        "--strategy", choices=STRATEGIES, default=DEFAULT, help=f"what to label next (default: {DEFAULT})"
    )
    parser.add_argument(
        "--train",
        action="store_true",
        help="train readers on the labels meanwhile, at 20, 50, 100, ... labels, and show their predictions",
    )
    parser.add_argument(
        "--errors", metavar="DIR", help="the --output of check --model: open on the labels that it lists, worst first"
    )
    add_number(parser, "--port", "port of the web page; 0 takes any that is free", most=65_535, default=0)
    args = parse_with_limits(parser, argv)
    from seqclr.data.knowledge import Known
    from seqclr.export.reader import needs_tensorflow
    from seqclr.labelling import server

    if needs_tensorflow(args.model):
        import_tensorflow()
    known = Known(args.charset, args.length)
    what = args.strategy, args.train, args.port, args.errors
    return server.serve(args.paths, Path(args.labels), args.model, known, *what)


def read_token(file: str) -> str:
    """The token in a file, without white space around it. Raises UserError where there is none."""
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UserError(f"--token-file {file} cannot be read ({reason}): give a text file") from None
    if not token or not token.isprintable():
        raise UserError(f"--token-file {file} holds no token: give one line of text")
    return token
