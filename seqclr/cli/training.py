"""The training verbs: pretrain, finetune, adapt, launch."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable

from seqclr.cli.arguments import Parser, add_number, training_arguments
from seqclr.cli.output import check_apart, write_figures
from seqclr.cli.process import import_tensorflow
from seqclr.engine import signals


def pretrain(parser: Parser, argv: list[str]) -> int:
    """pretrain an encoder on images without labels"""
    import_tensorflow()
    from seqclr.config import PretrainConfig

    with signals.leaving():
        from seqclr import api
        from seqclr.pretraining.pretrain import method_of

    return _train(api.pretrain, *training_arguments(parser, argv, PretrainConfig, method_of))


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


def _train(train: Callable, args, keys: dict) -> int:
    from seqclr.engine.distribution import leave

    check_apart(args.json, "output", args.output)
    status = _trained(lambda: train(output=args.output, resume=args.resume, config=args.config, **keys), args)
    leave(status)
    return status


def _trained(train: Callable, args) -> int:
    from seqclr.engine.trainer import Interrupted, TrainingFailed

    try:
        run = train()
    except Interrupted as stopped:
        print(f"{stopped}; to continue, run the same command with --resume", file=sys.stderr)
        return 0 if stopped.number == signal.SIGTERM else 130
    except TrainingFailed as error:
        print(f"seqclr: {error}", file=sys.stderr)
        return 1
    write_figures(run.figures, args.json)
    print(args.output)
    return 0


def launch(parser: Parser, argv: list[str]) -> int:
    """run one training with several workers on this machine"""
    parser.usage = f"{parser.prog} --local N -- VERB ..."
    add_number(parser, "--local", "number of workers", least=1, most=64, required=True, metavar="N")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="pretrain, finetune or adapt, with its arguments")
    args = parser.parse_args(argv)
    from seqclr.cli.local_workers import launch

    return launch(args.local, [word for word in args.words if word != "--"])
