"""Distillation from gray frames, flow and sound: the loss, where its gradients flow, what is learned and refused."""

import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from seqclr import cli
from seqclr.curation import pack
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.data.loader import Loader, as_batch
from seqclr.engine.run import Run
from seqclr.engine.trainer import Interrupted, Trainer
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.base import RunInfo, stacked
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny
from tests.engine.test_trainer import Signal, assert_equal, measured
from tests.small_runs import run

NAMES = ["gray_distillation", "flow_distillation", "sound_distillation"]
TOGETHER = "+".join(NAMES)


def batch(channels=1, rows=4):
    rng = np.random.default_rng(0)
    views, modality = (rng.integers(0, 256, (rows, 2, 16, 16, n)).astype(np.uint8) for n in (3, channels))
    index = np.int32([0, 1, 2, 1])[:rows]
    return {"views": tf.constant(views), "modality": tf.constant(modality), "index": tf.constant(index)}


def made(name, steps=0, **keys):
    keras.utils.set_random_seed(0)
    method = METHODS[name](embedding_dim=16, **keys)
    method.build(build_encoder("least_picture", 16, 16, "none"), RunInfo(total_steps=steps))
    return method


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize(("name", "channels"), [("gray_distillation", 1), ("flow_distillation", 3)])
def test_the_loss_is_the_contrast_in_time_and_the_distance_of_unit_vectors(name, channels):
    """Another example of the same sequence is no negative."""
    method, examples = made(name, temperature=0.2), batch(channels)
    logs = method.loss(examples, training=False)
    first, second = (method.network(examples["modality"][:, i], training=False).numpy() for i in range(2))
    logits = unit(first) @ unit(second).T / 0.2
    errors = []
    for i, kept in enumerate([[0, 1, 2, 3], [0, 1, 2], [0, 1, 2, 3], [0, 2, 3]]):
        for row in (logits[i], logits[:, i]):
            errors.append(np.log(np.exp(row[kept]).sum()) - row[i])
    assert float(logs["contrast"]) == pytest.approx(np.mean(errors), rel=1e-4)
    weights, bias = method.predictor.get_weights()
    distances = []
    for i, target in enumerate((first, second)):
        features = method.encoder(examples["views"][:, i])[0][:, 0].numpy()
        distances.append(np.square(unit(features @ weights + bias) - unit(target)).sum(1))
    assert float(logs["distillation"]) == pytest.approx(np.mean(distances), rel=1e-4)
    assert float(logs["loss"]) == pytest.approx(float(logs["contrast"] + logs["distillation"]))


def test_the_modality_learns_by_its_contrast_alone_and_the_encoder_by_the_distillation():
    method, examples = made("gray_distillation"), batch()
    sides = {"contrast": [method.network], "distillation": [method.encoder, method.predictor]}
    for own, learning in sides.items():
        for part in (method.network, method.encoder, method.predictor):
            with tf.GradientTape() as tape:
                logs = method.loss(examples, training=True)
            gradients = tape.gradient(logs[own], part.trainable_variables)
            assert all((g is not None) == (part in learning) for g in gradients), (own, part.name)


@pytest.mark.parametrize(
    ("name", "precision"),
    [("flow_distillation", "mixed_float16"), pytest.param(TOGETHER, "mixed_bfloat16", marks=pytest.mark.slow)],
)
def test_half_precision_stays_finite(tmp_path, eagerly, name, precision):
    keys = {"encoder": "least_picture", "precision": precision, "steps": 2, "views": "none"}
    job = tiny.trainer(tmp_path / "run", name, **keys)
    assert job.fit()["loss"] > 0
    assert all(np.isfinite(np.asarray(x, np.float64)).all() for x in tiny.weights(job).values())


@pytest.mark.parametrize("name", ["sound_distillation", pytest.param(TOGETHER, marks=pytest.mark.slow)])
def test_resumed_is_uninterrupted(tmp_path, eagerly, name):
    keys = {"steps": 3, "encoder": "least_picture", "views": "none"}
    whole = measured(tmp_path / "whole", name, **keys)
    whole.fit()
    first = measured(tmp_path / "parts", name, [Signal(signal.SIGTERM, 2)], **keys)
    with pytest.raises(Interrupted, match="step 2 of 3"):
        first.fit()
    second = measured(tmp_path / "parts", name, **keys)
    second.resume()
    second.fit()
    assert_equal(whole, second)


@pytest.mark.parametrize("name", NAMES)
def test_every_part_of_the_encoder_and_of_the_modality_learns(tmp_path, eagerly, name):
    job = tiny.trainer(tmp_path / "run", name, encoder="least_picture", steps=2, views="none")
    before = [v.numpy() for v in job.method.network.trainable_variables]
    assert not tiny.unmoved(job)
    assert not any(np.array_equal(v, old) for v, old in zip(job.method.network.trainable_variables, before))


def films(folder, count, kinds, seed=0):
    """Folders of squares of one of some colours, which decides where they move, and a tone beside each."""
    rng = np.random.default_rng(seed)
    for n in range(count):
        (folder / f"{n}").mkdir(parents=True)
        kind, start = n % kinds, rng.integers(0, 4, 2)
        for i in range(5):
            page = rng.integers(0, 30, (16, 16, 3)).astype(np.uint8)
            x, y = start + [i if kind & 1 else 4 - i, i if kind & 2 else 4 - i]
            page[y : y + 8, x : x + 8] = 60 + 180 * (kind & 1), 60 + 90 * (kind & 2), 60
            Image.fromarray(page).save(folder / f"{n}" / f"{i}.png")
        tiny.write_sound(folder / f"{n}.wav", 200 * 1.6**kind)
    return folder


SHORT = ["--steps", 2, "--batch-size", 4, "--processes", 0, "--precision", "float32", "height=16", "width=16"]


@pytest.mark.slow
def test_a_combination_runs_and_its_result_is_the_encoder(tmp_path, eagerly):
    films(tmp_path / "data", 4, 4)
    words = ["--data", tmp_path / "data", "--output", tmp_path / "run", *SHORT, "encoder=least_picture"]
    run("pretrain", "--method", f"order_verification+{TOGETHER}", *words)
    head = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {f"{name}.{figure}" for name in NAMES for figure in ("loss", "contrast", "distillation")} < set(head)
    run("show-task", "--method", "sound_distillation", "--data", tmp_path / "data", "--output", tmp_path / "task.png",
        "encoder=least_picture", "height=16", "width=16")  # fmt: skip
    with Image.open(tmp_path / "task.png") as sheet:
        assert sheet.width > 2 * 2 * (16 + 48)  # two frames and two spectrograms of 48 columns, twice as large


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "1.wav").unlink(), "1.wav does not exist: put the sound of a sequence beside it"),
        (lambda folder: (folder / "2.wav").write_text("x"), "2.wav is not a WAV file of PCM"),
        (lambda folder: tiny.write_sound(folder / "2.wav", 99, 0.2), "has 0.2 s of sound, less than seconds=0.5"),
    ],
)
def test_sequences_without_their_sound_are_refused_before_anything_is_written(tmp_path, capsys, spoil, message):
    spoil(films(tmp_path / "data", 3, 3))
    words = ["--data", tmp_path / "data", "--output", tmp_path / "run", *SHORT, "encoder=least_picture"]
    assert cli.main(["pretrain", "--method", "sound_distillation", *map(str, words)]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_a_pack_holds_no_sound(tmp_path):
    pack.pack([films(tmp_path / "data", 1, 1)], tmp_path / "packed")
    dataset = ImageDataset(find_unlabelled([tmp_path / "packed"]), 16, 16, "stretch")
    with pytest.raises(UserError, match="holds images without sound: give the folder that it was made of"):
        METHODS["sound_distillation"]().records(dataset)


@pytest.mark.parametrize("name", NAMES)
def test_a_single_image_is_no_sequence(tmp_path, name):
    Image.new("L", (16, 16)).save(tmp_path / "0.png")
    dataset = ImageDataset(find_unlabelled([tmp_path]), 16, 16, "stretch")
    with pytest.raises(UserError, match="has one frame where a sequence of 3 is needed"):
        METHODS[name]().records(dataset)


def test_the_modality_is_drawn_beside_its_frames(tmp_path):
    method = made("gray_distillation")
    records = method.records(ImageDataset(find_unlabelled([films(tmp_path / "data", 1, 1)]), 16, 16, "stretch"))
    drawn = method.preview_inputs(as_batch([method.make_transform("none")(records[0], np.random.default_rng(0))]))
    assert [*drawn] == ["frame 1", "gray 1", "frame 2", "gray 2"]
    luminance = drawn["frame 2"].astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(drawn["gray 2"] - luminance[..., None]).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_encoder_predicts_the_modality_of_frames_that_it_has_not_seen(tmp_path, name):
    """Of four kinds of films, frames find the embedding of another film of their own kind: by chance 0.23."""
    keys = {"encoder": "least_picture", "width": 16, "views": "none", "steps": 60, "batch_size": 16}
    settings, method = tiny.config(name, learning_rate=3e-3, **keys), made(name, steps=60)
    transform = method.make_transform("none")
    seen, new = (
        method.records(ImageDataset(find_unlabelled([films(tmp_path / f"{seed}", 32, 4, seed)]), 16, 16, "stretch"))
        for seed in range(2)
    )
    kinds = np.array([int(path.rsplit("/")[-1]) % 4 for path in new.paths])
    examples = as_batch([transform(new[i], np.random.default_rng(i)) for i in range(32)])

    def right():
        features, _ = method.encoder(stacked(tf.constant(examples["views"])))
        predicted = unit(method.predictor(features[:, 0]).numpy())[:32]
        embedded = unit(method.network(stacked(tf.constant(examples["modality"]))).numpy())[32:]
        cosines = predicted @ embedded.T
        np.fill_diagonal(cosines, -1)  # the film itself
        return float(np.mean(kinds[cosines.argmax(1)] == kinds))

    before = right()
    place = Run(tmp_path / "run")
    place.create(settings)
    Trainer(method, Loader(seen, transform, 16, seed=0), settings, place, tf.distribute.get_strategy(), []).fit()
    assert before < 0.6 and right() > 0.9, (before, right())
