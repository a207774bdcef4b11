"""Self-supervised pretraining: images without labels in, a run with an encoder out."""

from __future__ import annotations

from seqclr import config as configuration
from seqclr.data.loader import Fitted
from seqclr.data.records import find_unlabelled
from seqclr.engine import callbacks, setup
from seqclr.engine.run import Run
from seqclr.engine.trainer import Trainer
from seqclr.methods import find_method


def pretrain(config, output: str, resume: bool = False) -> dict[str, float]:
    """Trains the method that `config` (a resolved PretrainConfig) names, and returns the last figures.

    Rows of split `test` are left out. An image that cannot be read is reported, skipped and counted at the end.
    Raises UserError before anything is written if an argument or the data are wrong.
    """
    setup.check(config)
    run = Run.open(output) if resume else Run.check_free(output)
    cls = find_method(config.method)
    method = cls(**configuration.fields_of(cls, config))
    recipe = cls.recipe(config.views)
    fitted = Fitted(
        find_unlabelled(config.data, config.split), config.height, config.width, config.resize, skip_bad=True
    )
    strategy = setup.begin(config)
    with strategy.scope():
        method.build(setup.make_encoder(config, config.init))
    loader = setup.make_loader(fitted, recipe, config)
    try:
        trainer = Trainer(method, loader, config, run, strategy, callbacks.standard(run, config))
        if resume:
            trainer.resume()
        run.create(config)
        sources = len({entry.source for entry in fitted.entries})
        setup.say(f"{len(fitted)} images, {sources} source(s); {setup.devices(strategy)}")
        logs = trainer.fit()
    finally:
        loader.close()
        if fitted.skipped:
            setup.say(f"{len(fitted.skipped)} image(s) that cannot be read were skipped")
    return logs
