"""The benchmark of the article's proportion."""

import article

from seqclr.config import FinetuneConfig, PretrainConfig, resolve
from seqclr.methods import METHODS
from seqclr.methods.text.ctc import CTC


def test_the_arms_differ_in_their_pretraining_alone():
    finetune = {"views": "strong", "steps": 3, "learning_rate": 0.002}
    arms = article.arms(7, finetune)
    resolve(FinetuneConfig, CTC, [finetune])
    assert all(arm["finetune"] == finetune for arm in arms.values())
    configs = {
        name: resolve(PretrainConfig, METHODS[arm["pretrain"]["method"]], [arm["pretrain"]])
        for name, arm in arms.items()
        if "pretrain" in arm
    }
    assert {(config.steps, config.batch_size) for config in configs.values()} == {(7, 128)}
    mapping = {name: (config.method, config.correspondence, config.frames) for name, config in configs.items()}
    assert mapping == {
        "simclr": ("simclr", "geometry", "frames:2"),
        "simsiam": ("simsiam", "geometry", "frames:2"),
        "article_simclr": ("simclr", "index", "frames:5"),
        "article_simsiam": ("simsiam", "index", "frames:5"),
    }
