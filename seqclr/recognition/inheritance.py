"""What a fine-tuning takes from other runs beside the encoder: layers of a projector, a head, a teacher."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqclr.data.charset import Charset
from seqclr.engine import checkpoints
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.messages import say
from seqclr.methods.text.ctc import ctc_head
from seqclr.nn.heads import hidden_weights


def kept_layers(config) -> list[np.ndarray]:
    """The weights of the pretrained run's layers that stay below the head: of its projector, or of its own head."""
    run = Run.open(config.pretrained)
    path, arrays = run.best()
    count, own = config.keep_head, getattr(run.config(), "keep_head", 0)
    if run.charset_file.is_file():
        if count != own:
            raise UserError(f"keep_head {count}: the head of {path} goes on, which kept {own}: set keep_head={own}")
        return hidden_weights(arrays, "head", count)
    kept = hidden_weights(arrays, "projector", count)
    if len(kept) < 5 * count:
        raise UserError(
            f"keep_head {count}: {path} has {len(kept) // 5} hidden layers with batch norm in its projector"
        )
    return kept


def inherited_head(folder: str, dim: int, charset: Charset, kept: Sequence[int] = ()) -> list[np.ndarray] | None:
    """The weights of a head for `charset` from a run that reads: its own, put in the order of these characters.

    A character that the run does not know starts as its other case, or else as the mean of all. None where the run
    does not read. dim: of a frame. kept: sizes of the layers that stay below it.
    """
    run = Run.open(folder)
    if not run.charset_file.is_file():
        return None
    known, (path, arrays) = Charset.load(run.charset_file), run.best()
    head = ctc_head(dim, len(known) + 1, run.config().dropout, kept)
    checkpoints.restore({"head": head}, arrays, path)
    *hidden, kernel, bias = head.get_weights()
    index = {character: i for i, character in enumerate(known.characters)}
    found = [index.get(c, index.get(c.swapcase())) for c in charset.characters]
    new = "".join(character for character, i in zip(charset.characters, found) if i is None)
    knows = f"{len(found) - len(new)} of {len(found)} characters{f', new: {new}' if new else ''}"
    say(f"head from {path}: it knows {knows}")

    def chosen(rows):
        mean = rows[:-1].mean(0)
        return np.stack([*(mean if i is None else rows[i] for i in found), rows[-1]])

    return [*hidden, chosen(kernel.T).T, chosen(bias)]


def check_teacher(config) -> None:
    """Raises UserError where the run that is to teach does not read, or not what the student is given."""
    if not config.unlabelled:
        raise UserError(f"distill {config.distill}: say with unlabelled which images it is to read")
    if config.charset is not None:
        raise UserError(f"charset {config.charset}: leave it out, as {config.distill}, which teaches, has its own")
    run = Run.open(config.distill)
    if not run.charset_file.is_file():
        raise UserError(f"distill {config.distill} was pretrained only and cannot read: take a fine-tuned run")
    for name in ("height", "width", "resize"):
        wanted, given = getattr(run.config(), name), getattr(config, name)
        if wanted != given:
            raise UserError(f"{name} {given}: {config.distill}, which teaches, has {wanted}, so set {name}={wanted}")
