"""The command line: `seqclr VERB` and `tools/VERB.py` call the same functions. A verb imports heavy modules itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from seqclr import __version__, messages
from seqclr.cli.arguments import Parser
from seqclr.cli.datasets import check, pack, synth, translate
from seqclr.cli.inspection import configs, embed, methods, probe, pseudo_labels, show_task, show_views
from seqclr.cli.process import set_up
from seqclr.cli.reading import evaluate, export, match, predict
from seqclr.cli.serving import label, serve
from seqclr.cli.training import adapt, evolve, finetune, improve, launch, pretrain
from seqclr.engine import signals
from seqclr.errors import UserError
from seqclr.extras import required


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb. Returns 0: done, 1: the work failed, 2: wrong arguments or data, 130 or 143: stopped by a signal."""
    argv = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # characters that a terminal cannot show are escaped
            stream.reconfigure(errors="backslashreplace")
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: seqclr VERB ...\n\n" + "\n".join(f"  {verb:13} {run.__doc__}" for verb, run in VERBS.items()))
        return 0
    if argv[0] == "--version":
        print(__version__)
        return 0
    verb = argv[0]
    if verb not in VERBS:
        print(f"seqclr: unknown verb '{verb}': choose from {', '.join(VERBS)}", file=sys.stderr)
        return 2
    set_up()
    try:
        with signals.raising(), messages.on_console(), required(verb):
            return VERBS[verb](Parser(prog=f"seqclr {verb}", description=VERBS[verb].__doc__), argv[1:]) or 0
    except UserError as error:
        print(f"seqclr {verb}: {error}", file=sys.stderr)
        return 2
    except signals.Stopped as stopped:
        print(f"seqclr {verb}: {stopped}", file=sys.stderr)
        return 128 + stopped.number
    except BrokenPipeError:  # the other end of a pipe, such as `head`, was closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        print(f"seqclr {verb}: not enough memory: use smaller images or a smaller batch_size", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk
        print(f"seqclr {verb}: {error}", file=sys.stderr)
        return 1


def program(*argv: str) -> NoReturn:
    """Runs `main`, then ignores signals, so that a late one cannot change the exit code."""
    status = main([*argv, *sys.argv[1:]])
    signals.ignore()
    sys.exit(status)


VERBS = {
    verb.__name__.replace("_", "-"): verb
    for verb in (
        pretrain,
        evolve,
        finetune,
        adapt,
        improve,
        launch,
        methods,
        configs,
        show_task,
        probe,
        embed,
        pseudo_labels,
        evaluate,
        predict,
        match,
        export,
        serve,
        label,
        check,
        pack,
        synth,
        translate,
        show_views,
    )
}
