"""A student says what its teacher says of the same frames, beside its labels."""

import csv

import numpy as np
import pytest
import tensorflow as tf

from seqclr import cli
from seqclr.config import FinetuneConfig, fields_of, load_yaml, resolve
from seqclr.data.charset import Charset
from seqclr.data.loader import Joined, Loader
from seqclr.engine import checkpoints, setup
from seqclr.engine.run import Run
from seqclr.engine.trainer import Trainer
from seqclr.methods.text.ctc import CTC, ReaderInfo, ctc_head
from seqclr.methods.text.distillation import Distillation
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny
from tests.losses.reference import softmax
from tests.small_runs import SMALL


def trainer(folder, **keys) -> Trainer:
    """A job on 33 pages with labels and 66 without, taught by a network that knows nothing but is sure."""
    config = resolve(FinetuneConfig, Distillation, [tiny.COMMON, {"dropout": 0.0}, keys])
    strategy = setup.begin(config)
    method = Distillation(**fields_of(Distillation, config))
    encoder, head = build_encoder("tiny", 16, 64, "none", 0.0), ctc_head(128, 11, 0.0)

    def teacher(images, widths):
        features, mask = encoder(images, widths, training=False)
        return 5 * head(features, training=False), mask

    info = ReaderInfo(**vars(setup.run_info(config, 4)), classes=11, teacher=teacher)
    method.build(setup.make_encoder(config, None), info)
    run, pages = Run(folder), tiny.pages(99, padded=config.resize == "pad")
    run.create(config)
    first = Loader(pages[::3], Distillation.transform(config.views, tiny.LABELS), 8, seed=0)
    second = Loader(pages[1::3] + pages[2::3], method.unlabelled_transform(config.views), 8, seed=1)
    return Trainer(method, Joined(first, second), config, run, strategy)


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_the_loss_is_that_of_labels_and_of_frames_that_show_image(tmp_path, resize):
    keys = {"temperature": 2.0, "unlabelled_weight": 0.5, "resize": resize}
    method, job = (job := trainer(tmp_path / "run", steps=1, **keys)).method, job
    batch = {name: tf.constant(array) for name, array in next(job.loader).items()}
    assert "weak" not in batch and batch["strong"].shape == (8, 16, 64, 3)
    widths = batch.get("unlabelled_width")
    features, mask = method.encoder(batch["strong"], widths, training=False)
    found = np.log(softmax(method.head(features, training=False).numpy().astype(np.float64) / 2))
    wanted = softmax(method.run.teacher(batch["strong"], widths)[0].numpy().astype(np.float64) / 2)
    frames = -(wanted * found).sum(-1)
    shown = np.ones_like(frames, bool) if mask is None else mask.numpy()
    distilled = np.mean([row[of].mean() for row, of in zip(frames, shown)])
    logs = method.loss(batch, training=False)
    labelled = {name: batch[name] for name in ("image", "label", "width") if name in batch}
    plain = float(CTC.loss(method, labelled, training=False)["loss"])
    assert float(logs["distilled"]) == pytest.approx(distilled, rel=1e-4)
    assert float(logs["supervised"]) == pytest.approx(plain, rel=1e-4)
    assert float(logs["loss"]) == pytest.approx(plain + 0.5 * distilled, rel=1e-4)
    assert set(method.parts()) == {"encoder", "head"}


def test_a_student_comes_to_say_what_its_teacher_says(tmp_path):
    job = trainer(tmp_path / "run", steps=60, learning_rate=5e-3, unlabelled_weight=20.0)
    batch = {name: tf.constant(array) for name, array in next(job.loader).items()}

    def divergence():
        wanted = softmax(job.method.run.teacher(batch["strong"], None)[0].numpy().astype(np.float64))
        entropy = -(wanted * np.log(wanted)).sum(-1).mean()
        return float(job.method.loss(batch, training=False)["distilled"]) - entropy

    before = divergence()
    job.fit()
    assert 0 < divergence() < 0.3 * before


@pytest.mark.slow
def test_a_run_is_taught_by_another(pages, reader, tmp_path, eagerly):
    run = tmp_path / "run"
    words = ["--data", str(pages), "--unlabelled", str(pages), "--distill", str(reader), *SMALL, "--steps", "1"]
    words += ["--output", str(run), "unlabelled_batch_size=4"]
    assert cli.main(["finetune", *words]) == 0
    assert Charset.load(run / "charset.json") == Charset.load(reader / "charset.json")
    assert load_yaml(run / "config.yaml")["distill"] == str(reader)
    with open(run / "metrics.csv", newline="") as stream:
        assert float(next(csv.DictReader(stream))["distilled"]) > 0
    parts = {name.split("/")[0] for name in checkpoints.load(run / "checkpoints" / "step-00000001.npz")[0]}
    assert parts == {"encoder", "head", "optimizer"}
    assert cli.main(["finetune", "--resume", *words]) == 0


@pytest.mark.parametrize(
    "words, told",
    [
        (["--distill", "READER"], "set unlabelled to the images that the teacher labels"),
        (["--distill", "PRETRAINED", "--unlabelled", "PAGES"], "was only pretrained and predicts no text"),
        (["--distill", "nowhere", "--unlabelled", "PAGES"], "nowhere is not a run"),
        (["--distill", "READER", "--unlabelled", "PAGES", "width=32"], "has 64: set width=64"),
        (["--distill", "READER", "--unlabelled", "PAGES", "charset=abc"], "charset abc: leave it out"),
        (["--distill", "READER", "--unlabelled", "PAGES", "temperature=0"], "temperature 0.0: at least 0.001"),
    ],
)
def test_a_teacher_that_cannot_be_is_refused(pages, reader, pretrained, tmp_path, capsys, words, told):
    for name, path in {"READER": reader, "PRETRAINED": pretrained, "PAGES": pages}.items():
        words = [word.replace(name, str(path)) for word in words]
    assert cli.main(["finetune", "--data", str(pages), "--output", str(tmp_path / "run"), *SMALL, *words]) == 2
    assert told in capsys.readouterr().err and not (tmp_path / "run").exists()
