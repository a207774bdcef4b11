"""A small job for tests of the trainer: images of noisy bars, the smallest encoder, any method."""

import dataclasses
import wave
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from seqclr.config import FinetuneConfig, PretrainConfig, resolve
from seqclr.data.loader import Loader
from seqclr.data.samples import Sample
from seqclr.engine import setup
from seqclr.engine.run import Run
from seqclr.engine.trainer import Trainer
from seqclr.methods import find_method
from seqclr.methods.text.ctc import CTC, ReaderInfo

COMMON = {
    "encoder": "least",
    "height": 16,
    "width": 64,
    "batch_size": 8,
    "processes": 0,
    "precision": "float32",
    "views": "none",
}
ARTICLE = {
    "correspondence": "index",
    "layer": "transformer",
    "frames": "frames:5",
}  # less work for a test than the defaults
# settings for few and small images
SMALL = {
    "ccd": {"prototypes": 8},
    "clique_cnn": {"cliques": 4, "clique_size": 4},
    "cut": {"generator_channels": 4, "blocks": 1, "patches": 8, "projection_dim": 8},
    "cyclegan": {"generator_channels": 4, "blocks": 1, "pool": 8},
    "deep_cluster": {"clusters": 4},
    "dino": {"prototypes": 8},
    "moco": {"queue_size": 64},
    "moco_v2": {"queue_size": 64},
    "nnclr": {"queue_size": 64},
    "pix2pix": {"generator_channels": 4, "blocks": 1},
    "rclstr": {"queue_size": 64},
    "sela": {"clusters": 4, "relabellings": 2},
    "ssm": {"hidden_dim": 32, "decoder_depth": 1},
    "swav": {"prototypes": 8},
    "w_mse": {"projection_dim": 4, "whitening_size": 8},
}
LABELS = [[int(c) for c in f"{i:02d}"] for i in range(100)]


def pages(count=32, padded=False):
    """Two digits as bars of two thicknesses: images that differ and can be read."""
    rng = np.random.default_rng(0)
    records = []
    for i in range(count):
        image = rng.integers(200, 256, (16, 64, 3)).astype(np.uint8)
        for position, digit in enumerate(LABELS[i]):
            image[1 + digit : 5 + digit, 6 + 30 * position : 26 + 30 * position] = 25 * digit
        records.append({"image": image, "index": np.int32(i), **({"width": np.int32(40 + i % 24)} if padded else {})})
    return records


class Pages(list):
    """The same as an image dataset. folder: before the names of its samples, four frames each of animations."""

    def __init__(self, settings, folder):
        self.resize = settings.resize
        super().__init__(pages(padded=self.resize == "pad"))
        self.shape = self[0]["image"].shape
        self.samples = [Sample("bars", f"{folder}-{i // 4}.gif", index=i % 4) for i in range(len(self))]

    def filled(self):
        return [page.get("width", 64) for page in self]


def write_sound(path, hertz, seconds=0.6, rate=8000):
    """A WAV file of a tone in noise."""
    tone = np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    samples = 8000 * tone + np.random.default_rng(0).normal(0, 500, len(tone))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", None))
        file.writeframes(samples.astype("<i2").tobytes())


def lines(method):
    """Keys with which the method learns from few and small lines."""
    few = SMALL.get(method, {})
    if "+" in method:
        few = {f"{name}.{key}": value for name in method.split("+") for key, value in SMALL.get(name, {}).items()}
    return {"encoder": "least_lab" if find_method(method).facts.needs_halves else "least", **few}


def config(method, **keys):
    base = FinetuneConfig if method == "ctc" else PretrainConfig
    cls = CTC if method == "ctc" else find_method(method)
    plain = {name: ARTICLE[key] for name in cls.line_defaults if (key := name.rpartition(".")[2]) in ARTICLE}
    return resolve(base, cls, [COMMON, plain, {"views": "article"} if method != "ctc" else {}, keys])


def trainer(folder, method, callbacks=(), **keys):
    """A Trainer of the job, in a run folder of its own."""
    settings = config(method, **keys)
    strategy = setup.begin(settings)
    cls = CTC if method == "ctc" else find_method(method)
    built = cls(**{field.name: getattr(settings, field.name) for field in dataclasses.fields(cls)})
    if method == "ctc":
        transform = cls.transform(settings.views, LABELS)
    else:
        transform = built.make_transform(settings.views)
    Path(folder).parent.mkdir(exist_ok=True)
    for i in range(8):
        write_sound(f"{folder}-{i}.wav", 200 * (i + 1))
    records = built.records(Pages(settings, folder))
    for i, page in enumerate(pages()):
        Image.fromarray(page["image"]).save(f"{folder}-{i}.png")
    built.prepare([Sample("bars", f"{folder}-{i}.png", str(i % 2)) for i in range(32)])
    loader = Loader(records, transform, settings.batch_size, settings.seed, settings.processes)
    info = setup.run_info(settings, loader.steps_per_epoch)
    if method == "ctc":
        info = ReaderInfo(**vars(info), classes=11, pretrained=keys.get("pretrained") is not None)
    with strategy.scope():
        built.build(setup.make_encoder(settings, None), info)
    run = Run(folder)
    run.create(settings)
    return Trainer(built, loader, settings, run, strategy, callbacks)


def weights(job):
    """All variables of a trainer by name, the optimizers' too."""
    return job.checkpoints.snapshot()


def unmoved(job):
    """Trains, and gives the kernels of the encoder that are what they were."""
    kernels = [v for v in job.method.encoder.trainable_variables if v.name == "kernel"]
    before = [v.numpy() for v in kernels]
    job.fit()
    assert kernels
    return [v.path for v, old in zip(kernels, before) if np.array_equal(v, old)]


def seeded(batch=16):
    """A batch of two views that does not depend on a loader."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(1)
    first = rng.integers(0, 256, (batch, 16, 64, 3))
    second = np.clip(first + rng.normal(0, 20, first.shape), 0, 255)
    return {
        "views": np.stack([first, second], 1).astype(np.uint8),
        "geometry": np.tile(np.float32([1, 0, 1, 0]), (batch, 2, 1)),
        "index": np.arange(batch, dtype=np.int32),
        "hidden": np.tile(np.arange(64) % 16 < 8, (batch, 2, 1)),
        "originals": first.mean(-1).astype(np.uint8)[:, None].repeat(2, 1),
        "generated": first.astype(np.uint8)[:, None],
        "generated_width": np.full((batch, 1), 64, np.int32),
        "label": np.tile(np.int32([1, 2, -1]), (batch, 1, 1)),
    }
