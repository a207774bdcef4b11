"""The labelling page for the Python interface; `seqclr.label` is `seqclr.labelling.label.label`."""

from __future__ import annotations

import os
from pathlib import Path

from seqclr.data.knowledge import Known
from seqclr.extras import required
from seqclr.labelling import strategies
from seqclr.reading import AnyPath, Length, Paths, list_of, path_of


def label(
    images: Paths,
    labels: AnyPath,
    model: AnyPath = "captcha",
    *,
    charset: str | None = None,
    length: Length | None = None,
    strategy: str = strategies.DEFAULT,
    train: bool = False,
    port: int = 0,
    errors: AnyPath | None = None,
) -> Path:
    """Serves a web page for labelling images by hand, until Ctrl-C; returns the path of the labels.

    Args:
        images: folders, tables, LMDBs or packs.
        labels: a CSV file `file,text,split,source,time`. Labels that it has are continued.
        model: the reader whose predictions are confirmed or corrected: `captcha`, a run that predicts text, or an
            export.
        charset, length: all characters and all lengths that occur, as in `Reader.predict`, if they are known. Other
            labels are refused.
        strategy: what to label next, `random`, `uncertain`, `diverse` or `mixed`.
        train: whether to train readers on the labels meanwhile, in a process of its own, at 20, 50, 100, ... labels;
            their predictions replace those of `model`. Needs the extra `train`.
        port: of the web page on this machine; 0 takes any that is free. The address is printed.
        errors: the `--output` of `seqclr check --model`; the labelling begins with the labels listed there.

    Raises:
        UserError: an argument or the data are wrong, or another process has the labels open.
    """
    path = path_of("labels", labels)
    paths, known = [os.fspath(each) for each in list_of(images)], Known.of(charset, length)
    with required("seqclr.label"):
        from seqclr.labelling import server

        listed = errors and os.fspath(errors)
        server.serve(paths, path, os.fspath(model), known, strategy, train, port, listed)
    return path
