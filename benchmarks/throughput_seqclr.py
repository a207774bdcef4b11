"""seqclr's side of throughput.py: the trainer, loader and training step of `seqclr pretrain`.

The loader's processes import this file, so TensorFlow is imported only in functions that need it.
"""

import dataclasses
import math
import tempfile
from pathlib import Path

import throughput_parts as parts

from seqclr import cli
from seqclr.config import PretrainConfig, resolve
from seqclr.data import dataset as datasets
from seqclr.data.discovery import find_unlabelled


def trainer(method: str, data: list[str], batch_size: int, steps: int, folder: str, clock):
    """A Trainer that calls the clock after every step."""
    cli.set_up()
    import keras

    from seqclr.engine import setup
    from seqclr.engine.run import Run
    from seqclr.engine.trainer import Trainer
    from seqclr.methods import find_method

    class Ticking(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            clock.tick()

    keys = {"height": parts.HEIGHT, "width": parts.WIDTH, "views": parts.VIEWS, "processes": parts.PROCESSES}
    keys |= {"learning_rate": parts.LEARNING_RATE, "weight_decay": parts.WEIGHT_DECAY, "clip": parts.CLIP}
    keys |= {"warmup": parts.SMOOTH, "batch_size": batch_size, "steps": steps}
    keys |= {"correspondence": "geometry", "frames": "frames:5", "layer": "transformer"}
    keys |= {"encoder": "tiny", "precision": "float32"}
    config = resolve(PretrainConfig, cls := find_method(method), [keys])
    strategy = setup.begin(config)
    built = cls(**{field.name: getattr(config, field.name) for field in dataclasses.fields(cls)})
    dataset = datasets.ImageDataset(find_unlabelled(data), config.height, config.width, config.resize, skip_bad=True)
    run = Run(Path(folder) / "run")
    run.create(config)
    batches = setup.make_loader(
        dataset, built.make_transform(config.views), config.batch_size, config.seed, config.processes
    )
    with strategy.scope():
        built.build(setup.make_encoder(config, None), setup.run_info(config, batches.steps_per_epoch))
    return Trainer(built, batches, config, run, strategy, [Ticking()])


def device_parts(job, arrays: list[dict], times: int) -> dict[str, float]:
    """Seconds per batch on the device. A part is the difference of a step with it and one without it."""
    import tensorflow as tf

    method, variables = job.method, job.model.trainable_variables

    def loss(batch):
        penalties = [penalty for part in method.parts().values() for penalty in part.losses]
        return tf.add_n([method.loss(batch, training=True)["loss"], *penalties])

    @tf.function
    def forward(batch):
        return loss(batch)

    @tf.function
    def backward(batch):
        with tf.GradientTape() as tape:
            value = loss(batch)
        return tape.gradient(value, variables)

    step = job.train_step.function(method.frozen(0), 1)
    batches = [job.train_step.distribute([batch]) for batch in arrays]
    for function in (forward, backward, step):
        function(batches[0])
    seconds = [
        [parts.seconds_of(job.train_step.distribute, [arrays[i % len(arrays)]])]
        + [parts.seconds_of(function, batches[i % len(batches)]) for function in (forward, backward, step)]
        for i in range(times)
    ]
    transfer, forward_only, with_gradients, full_step = (parts.median(column) for column in zip(*seconds))
    return {
        "transfer": transfer,
        "forward": forward_only,
        "backward": with_gradients - forward_only,
        "update": full_step - with_gradients,
    }


def main() -> None:
    args = parts.arguments()
    datasets.CACHE_BYTES = 0  # every image is decoded at every access
    clock = parts.Clock(args.steps)
    with tempfile.TemporaryDirectory() as folder:
        job = trainer(args.method, args.data, args.batch_size, clock.steps, folder, clock)
        job.fit()
        arrays = [next(job.loader) for _ in range(parts.CACHED)]
        job.loader.close()
    import tensorflow as tf

    step = job.train_step.function(job.method.frozen(0), 1)
    seconds = parts.alone(step, [job.train_step.distribute([batch]) for batch in arrays], args.steps)
    times = max(5, args.steps // 4)
    parts.report({
        "parameters": sum(math.prod(v.shape) for v in job.model.trainable_variables),
        "alone": args.batch_size * args.steps / seconds,
        "loop": args.batch_size * args.steps / clock.seconds,
        "memory": clock.memory,
        "parts": {**parts.host_parts(args.data, args.batch_size, times), **device_parts(job, arrays, times)},
        "about": f"TensorFlow {tf.__version__}",
    })  # fmt: skip


if __name__ == "__main__":
    main()
