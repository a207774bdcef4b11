"""Self-supervised pretraining for text recognition, on TensorFlow and Keras 3.

    reader = seqclr.load("captcha")                     # a reader that comes with the package
    reader = seqclr.adapt("images/", length=4)          # adapted to a site, without labels
    reader.predict(["a.png"])

    run = seqclr.pretrain("images/", method="simclr")   # or from the start
    reader = seqclr.finetune("labelled/", pretrained=run)

Importing this package is fast. `load` and what it returns need no TensorFlow for exports and the readers of the
package; the rest imports it when it is first used.
"""

# ruff: noqa: F403, F405

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqclr.api import *

__version__ = "0.2.0"
__all__ = [
    "Interrupted",
    "Match",
    "Prediction",
    "Reader",
    "Run",
    "TrainingFailed",
    "UserError",
    "adapt",
    "evolve",
    "finetune",
    "label",
    "load",
    "load_encoder",
    "pretrain",
    "register",
    "translate",
]


_LIGHT = {  # the names that need no TensorFlow, with the modules that have them
    **dict.fromkeys(("Match", "Prediction", "Reader", "Run", "UserError", "load"), "seqclr.reading"),
    "label": "seqclr.labelling.label",
}

if not TYPE_CHECKING:  # a type checker must not see other names

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module 'seqclr' has no attribute '{name}'")
        import importlib

        from seqclr.extras import required

        with required(f"seqclr.{name}"):
            module = importlib.import_module(_LIGHT.get(name, "seqclr.api"))
        return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
