"""What a fine-tuning takes from other runs besides the encoder: projector layers, a head, a teacher."""

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
    """The weights of the pretrained run's layers that are kept below the head: of its projector, or of its own head.

    Raises UserError if `keep_head` does not match the run.
    """
    run = Run.open(config.pretrained)
    path, arrays = run.best()
    count, own = config.keep_head, getattr(run.config(), "keep_head", 0)
    if run.charset_file.is_file():
        if count != own:
            raise UserError(f"keep_head {count}: the head of {path} was trained with keep_head={own}: set the same")
        return hidden_weights(arrays, "head", count)
    kept = hidden_weights(arrays, "projector", count)
    if len(kept) < 5 * count:
        raise UserError(
            f"keep_head {count}: {path} has {len(kept) // 5} hidden layers with batch norm in its projector"
        )
    return kept


def inherited_head(folder: str, dim: int, charset: Charset, kept: Sequence[int] = ()) -> list[np.ndarray] | None:
    """The weights of a head for `charset`, from the head of a run, in the order of these characters.

    A new character starts with the weights of its other case, else with the mean of all characters. None where the run
    has no head. dim: size of a frame. kept: sizes of the layers kept below the head.
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
    known_count = f"{len(found) - len(new)} of {len(found)} characters{f', new: {new}' if new else ''}"
    say(f"head from {path}, with {known_count}")

    def chosen(rows):
        mean = rows[:-1].mean(0)
        return np.stack([*(mean if i is None else rows[i] for i in found), rows[-1]])

    return [*hidden, chosen(kernel.T).T, chosen(bias)]


def check_teacher(config) -> None:
    """Raises UserError where the teacher is not a fine-tuned run, or takes other images than the student."""
    if not config.unlabelled:
        raise UserError(f"distill {config.distill}: set unlabelled to the images that the teacher labels")
    if config.charset is not None:
        raise UserError(f"charset {config.charset}: leave it out: the charset is that of the teacher {config.distill}")
    run = Run.open(config.distill)
    if not run.charset_file.is_file():
        raise UserError(f"distill {config.distill} was only pretrained and predicts no text: give a fine-tuned run")
    for name in ("height", "width", "resize"):
        wanted, given = getattr(run.config(), name), getattr(config, name)
        if wanted != given:
            raise UserError(f"{name} {given}: the teacher {config.distill} has {wanted}: set {name}={wanted}")
