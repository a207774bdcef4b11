"""The training verbs: pretrain, evolve, finetune, adapt, improve, launch."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from seqclr.cli.arguments import READER_RUN, Parser, add_number, training_arguments
from seqclr.cli.output import check_apart, figures_file, write_figures
from seqclr.cli.process import import_tensorflow
from seqclr.engine import signals

T = TypeVar("T")


def pretrain(parser: Parser, argv: list[str]) -> int:
    """pretrain an encoder on images without labels"""
    import_tensorflow()
    from seqclr.config import PretrainConfig

    with signals.leaving():
        from seqclr import api
        from seqclr.pretraining.pretrain import method_of

    return _train(api.pretrain, *training_arguments(parser, argv, PretrainConfig, method_of))


def evolve(parser: Parser, argv: list[str]) -> int:
    """find the weights of several methods by evolution, without labels"""
    import_tensorflow()
    from seqclr.config import EvolveConfig

    with signals.leaving():
        from seqclr import api
        from seqclr.pretraining.pretrain import method_of

    args, keys = training_arguments(parser, argv, EvolveConfig, method_of)
    check_apart(args.json, "output", args.output)
    found, status = trained(lambda: api.evolve(output=args.output, resume=args.resume, config=args.config, **keys))
    if found is not None:
        write_figures({**found._asdict(), "file": str(found.file)}, args.json)
        print(found.file)
    return status


def finetune(parser: Parser, argv: list[str]) -> int:
    """train a recognizer on labelled images, from a pretrained encoder or from scratch"""
    import_tensorflow()
    from seqclr.config import FinetuneConfig

    with signals.leaving():
        from seqclr import api
        from seqclr.recognition.finetune import method_of

    return _train(api.finetune, *training_arguments(parser, argv, FinetuneConfig, method_of))


def adapt(parser: Parser, argv: list[str]) -> int:
    """adapt a reader to the images of a site, with few labels or none"""
    import_tensorflow()
    from seqclr.config import AdaptConfig

    with signals.leaving():
        from seqclr import api
        from seqclr.methods.text.adaptation import Adaptation

    return _train(api.adapt, *training_arguments(parser, argv, AdaptConfig, lambda values: Adaptation))


def improve(parser: Parser, argv: list[str]) -> int:
    """train the next round of a reader on images with feedback, and replace its export if it is better"""
    parser.add_argument("--model", required=True, help=READER_RUN)
    parser.add_argument(
        "--feedback", required=True, metavar="DIR", help="the folder of a model under the --keep of seqclr serve"
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="new folder of the round; its run is DIR/run")
    parser.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="PATH",
        help="more images and labels to train on; labelled rows of split validation and test are compared on",
    )
    parser.add_argument("--export", metavar="EXPORT", help="the export to replace if the new reader is better")
    add_number(parser, "--steps", "training steps (batches)", least=1, most=10**8, default=1000)
    parser.add_argument("--resume", action="store_true", help="continue the round in --output")
    parser.add_argument("--json", type=figures_file, help="write the comparison to this JSON file")
    args = parser.parse_args(argv)
    check_apart(args.json, "output", args.output)
    import_tensorflow()
    with signals.leaving():
        from seqclr.export import replace
        from seqclr.recognition.improve import improve

    export = None if args.export is None else Path(args.export)
    if export is not None:
        replace.replaceable(export)
    names = ("model", "feedback", "output", "data", "steps", "resume")
    found, status = trained(lambda: improve(**{name: getattr(args, name) for name in names}))
    if found is None:
        return status
    print(found.table())
    write_figures(found.figures(), args.json)
    if export is not None and found.better:
        print(f"{export}: replaced; the old one is {replace.replace(found.run, export)}")
    elif export is not None:
        print(f"{export}: stays as it is")
    print(found.run)
    return 0


def _train(train: Callable, args, keys: dict) -> int:
    from seqclr.engine.distribution import leave

    check_apart(args.json, "output", args.output)
    run, status = trained(lambda: train(output=args.output, resume=args.resume, config=args.config, **keys))
    if run is not None:
        write_figures(run.figures, args.json)
        print(args.output)
    leave(status)
    return status


def trained(train: Callable[[], T]) -> tuple[T | None, int]:
    """What a training returns, or None, and the exit code."""
    from seqclr.engine.trainer import Interrupted, TrainingFailed

    try:
        return train(), 0
    except Interrupted as stopped:
        print(f"{stopped}; to continue, run the same command with --resume", file=sys.stderr)
        return None, 0 if stopped.number == signal.SIGTERM else 130
    except TrainingFailed as error:
        print(f"seqclr: {error}", file=sys.stderr)
        return None, 1


def launch(parser: Parser, argv: list[str]) -> int:
    """run one training with several workers on this machine"""
    parser.usage = f"{parser.prog} --local N -- VERB ..."
    add_number(parser, "--local", "number of workers", least=1, most=64, required=True, metavar="N")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="pretrain, finetune or adapt, with its arguments")
    args = parser.parse_args(argv)
    from seqclr.cli.local_workers import launch

    return launch(args.local, [word for word in args.words if word != "--"])
