"""Padding counts for nothing: of every method, lines give what they give with more of it."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from seqclr.data.loader import as_batch
from seqclr.data.samples import Sample
from seqclr.engine import setup
from seqclr.errors import UserError
from seqclr.methods import METHODS, find_method
from seqclr.methods.base import RunInfo
from seqclr.methods.clustering.surrogate import NONE, Relabelled
from seqclr.methods.generated_texts import GeneratedTexts
from seqclr.methods.text.ctc import CTC, ReaderInfo
from seqclr.nn import clusters
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny
from tests.engine.test_step import STATES

WIDTHS = [96, 90, 61, 40, 33, 24]
POOLS = {"images", "back_images"}  # of the size of a batch's images
# what is cut out of a line and brought to a part of the canvas: the batch has neither padding nor widths
CUT = {"counting", "jigsaw", "jigsaw_clustering", "odd_one_out", "order_verification"}
PICTURES = {"colorization": "no meaning in lines", "mae": "encoder=vit_tiny", "split_brain": "no meaning in lines"}
PICTURES |= dict.fromkeys(["flow_distillation", "gray_distillation", "sound_distillation"], "not a sequence in time")
KEYS = {
    "generated": {"boxes": 1.0, "styles": 1.0, "domain": 0.1},
    "moco": {"queue_size": 12},
    "moco_v2": {"queue_size": 12},
    "nnclr": {"queue_size": 12},
    "rclstr": {"queue_size": 12},
    "inst_disc": {"noise": 16},
    "inpainting": {"adversarial": 0.5},
    "super_resolution": {"adversarial": 0.5},
}
FOLLOWED = {"views": "roaming", "correspondence": "geometry", "frames": "windows:3", "layer": "cnn"}
CASES = [(name, {}) for name in METHODS if name not in PICTURES] + [
    ("cmc", {**FOLLOWED, "frames": "frames:2"}),
    ("deep_cluster", FOLLOWED),
    ("rclstr", {**FOLLOWED, "segments": 2}),
    ("ssm", {name: FOLLOWED[name] for name in ("views", "correspondence", "frames")}),
    ("dino", {**FOLLOWED, "views": "multicrop"}),
    ("inst_disc", {**FOLLOWED, "noise": 0}),
    ("pix_pro", {"views": "roaming"}),
    ("pix_contrast", {"views": "roaming", "layer": "transformer"}),
    ("simclr", {**FOLLOWED, "negatives": "position"}),
    ("simclr", {"frames": "none", "loss_name": "triplet"}),
    pytest.param(STATES, {"moco_v2.queue_size": 12, "weights": "byol:0.5"}, marks=pytest.mark.slow),
]


class Lines(list):
    """Records as of `ImageDataset`: the same noisy bars on a canvas of any width."""

    resize = "pad"

    def __init__(self, width: int, folder, padding: int = 255):
        rng = np.random.default_rng(0)
        self.shape, self.samples = (16, width, 3), []
        for i, filled in enumerate(WIDTHS):
            line = rng.integers(150, 256, (16, filled, 3))
            line[4:12, rng.random(filled) < 0.4] -= 140
            canvas = np.full(self.shape, padding, np.uint8)
            canvas[:, :filled] = line
            self.append({"image": canvas, "index": np.int32(i), "width": np.int32(filled)})
            self.samples.append(Sample("bars", f"{folder}/{i}.png", str(i % 2)))
            Image.fromarray(canvas[:, :filled]).save(f"{folder}/{i}.png")

    def filled(self):
        return WIDTHS


@functools.cache
def encoder(name, width):
    """One for all methods, with the same weights whichever test is the first."""
    keras.utils.set_random_seed(1)  # with 0, a difference of cyclegan is near the kink of its L1 loss
    return build_encoder(name, 16, width, "none", dropout=0.0)


def made(name, lines, views="article", **keys):
    """The method, built, with what makes its batches and that of all lines."""
    small = tiny.lines(name)
    network = encoder(small.pop("encoder"), lines.shape[1])
    keras.utils.set_random_seed(0)
    method = find_method(name)(**{**small, **KEYS.get(name, {}), **keys})
    views = method.defaults.get("views", views)
    assert method.records(lines) is lines
    method.prepare(lines.samples)
    run = RunInfo(batch_size=len(lines), total_steps=100, dropout=0.0, views=views)
    method.build(network, run)
    transform = method.make_transform(views)
    return method, as_batch([transform(line, np.random.default_rng(i)) for i, line in enumerate(lines)])


def seen(method, batch):
    """What a step measures and where it would go, and what it leaves in the method's variables."""
    with tf.GradientTape(persistent=True) as tape:
        logs = method.loss({key: tf.constant(value) for key, value in batch.items()}, training=True)
    found = {f"log {key}": value for key, value in logs.items()}
    learning = {"loss": {}, "adversary_loss": {}}
    for name, part in method.parts().items():
        for i, variable in enumerate(getattr(part, "variables", [part])):
            if variable.trainable:
                assert keras.backend.is_float_dtype(variable.dtype)
                side = "adversary_loss" if name in method.adversaries else "loss"
                learning[side][f"gradient {name} {i} {variable.path}"] = variable.value
            elif name.rpartition(".")[2] not in {"labels", *POOLS} and "seed_generator" not in variable.path:
                found[f"state {name} {i} {variable.path}"] = variable.value
    for side, variables in learning.items():
        found |= dict(zip(variables, tape.gradient(logs[side], list(variables.values())))) if variables else {}
    return {key: None if value is None else np.asarray(value, np.float64) for key, value in found.items()}


@pytest.mark.parametrize(("name", "keys"), CASES, ids=str)
def test_more_of_it_changes_nothing(tmp_path, eagerly, monkeypatch, name, keys):
    """Loss, figures, gradients, batch statistics, classes, banks, queues, centres."""
    widths = (144, 208) if issubclass(find_method(name), GeneratedTexts) else (96, 160)  # generated pages may be long
    if name in CUT:
        (_, batch), (_, other) = (made(name, Lines(widths[0], tmp_path, padding), **keys) for padding in (255, 90))
        assert not [key for key in batch if "width" in key]
        for key in batch:
            np.testing.assert_array_equal(batch[key], other[key])
        return
    (narrow, batch), (wide, padded) = (made(name, Lines(width, tmp_path), **keys) for width in widths)
    for part, value in narrow.parts().items():
        if part in POOLS:
            continue
        same = wide.parts()[part]
        if part.endswith("labels"):
            kept = value.shape[1]
            np.testing.assert_array_equal(value, same[:, :kept])
            assert (same.numpy()[:, kept:] == NONE).all()
            continue
        for a, b in zip(*(getattr(x, "variables", [x]) for x in (value, same)), strict=True):
            b.assign(a.value)
    if isinstance(narrow, Relabelled):
        rows = relabelled(narrow, wide, tmp_path, monkeypatch)
        np.testing.assert_allclose(*rows, atol=1e-5)
    one, two = seen(narrow, batch), seen(wide, padded)
    assert np.isfinite(one["log loss"]) and one["log loss"] != 0
    blind = {key for key, value in one.items() if value is None}  # of frames of the CNN the Transformer learns nothing
    assert not blind if narrow.layer == "transformer" else all(key.startswith("gradient encoder") for key in blind)
    noise = 1e-6 * max(1, abs(one["log loss"]))  # rounding of a gradient that is 0 grows with the loss
    for (key, value), other in zip(one.items(), two.values(), strict=True):
        assert (value is None) == (other is None), key
        if value is not None:
            np.testing.assert_allclose(other, value, rtol=2e-3, atol=noise + 1e-4 * np.abs(value).max(), err_msg=key)


def relabelled(narrow, wide, folder, monkeypatch):
    """Gives both methods classes, the same to the same windows, and returns what these were to be found in."""
    rows = []

    def solve(features, *_, **__):
        rows.append(features)
        return np.arange(len(features)) % narrow.classes

    for solver in ("k_means", "cliques", "sized_classes"):
        monkeypatch.setattr(clusters, solver, solve)
    for method in (narrow, wide):
        method.relabel([as_batch(Lines(method.encoder.width, folder))])
    kept = narrow.labels.shape[1]
    np.testing.assert_array_equal(narrow.labels, wide.labels[:, :kept])
    assert (wide.labels.numpy()[:, kept:] == NONE).all()
    assert len(rows[0]) == (narrow.labels.numpy() != NONE).sum() // narrow.heads
    return rows


def test_a_projector_that_stays_below_a_reading_head_does_not_count_it(tmp_path, eagerly):
    """Fine-tuning with keep_head has batch norm in its head."""
    lines, methods = [as_batch(Lines(width, tmp_path)) for width in (96, 160)], []
    for width in (96, 160):
        keras.utils.set_random_seed(0)
        method = CTC()
        method.build(encoder("least", width), ReaderInfo(classes=4, dropout=0.0, kept=(32,)))
        methods.append(method)
    for part in ("encoder", "head"):
        getattr(methods[1], part).set_weights(getattr(methods[0], part).get_weights())
    label = np.tile(np.int32([1, 2]), (len(WIDTHS), 1))
    found = [seen(method, {**batch, "label": label}) for method, batch in zip(methods, lines)]
    for (key, value), other in zip(found[0].items(), found[1].values(), strict=True):
        np.testing.assert_allclose(other, value, rtol=2e-3, atol=1e-6 + 1e-4 * np.abs(value).max(), err_msg=key)


@pytest.mark.parametrize("name", ["dino", "byol"])
def test_the_teacher_has_no_dropout(tmp_path, eagerly, name):
    """Two draws of one batch give the same targets."""
    keras.utils.set_random_seed(0)
    method = METHODS[name](**tiny.SMALL.get(name, {}))
    transform = method.make_transform("article")
    method.build(build_encoder("least", 16, 96, "none", dropout=0.5))
    batch = as_batch([transform(line, np.random.default_rng(i)) for i, line in enumerate(Lines(96, tmp_path))])
    batch = {key: tf.constant(value) for key, value in batch.items()}
    one, two = (method.embed_target(batch, training=True)[2] for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_no_row_of_a_bank_is_of_padding(tmp_path):
    method, _ = made("inst_disc", Lines(160, tmp_path))
    frames = -(-np.array(WIDTHS) // 4)
    assert method.bank.vectors.shape[0] == (-(-frames // 5)).sum()


def test_w_mse_is_refused_or_skips_where_lines_show_too_little(tmp_path, eagerly):
    """By what they show, not by the columns of the canvas: never a loss that is no number."""
    keys = {"projection_dim": 4, "whitening_size": 24}
    with pytest.raises(UserError, match="whitening_size 24: a batch has 20 instances: take a larger batch_size"):
        made("w_mse", Lines(160, tmp_path), **keys)
    method, batch = made("w_mse", Lines(160, tmp_path), projection_dim=4, whitening_size=20)
    assert seen(method, batch)["log skipped"] == 0
    few = seen(method, {**batch, "width": np.minimum(batch["width"], 40)})
    assert few["log loss"] == 0 and few["log skipped"] == 1
    assert all(np.isfinite(value).all() for value in few.values() if value is not None)


@pytest.mark.parametrize("name", PICTURES)
def test_what_is_for_pictures_is_refused_with_lines_and_with_padding(name):
    with pytest.raises(UserError, match=PICTURES[name]):
        method = METHODS[name]()
        setup.check(tiny.config(name, encoder="tiny", resize="pad"), METHODS[name])
        method.build(encoder("least", 96))
    pictures = "resnet9_lab" if METHODS[name].facts.needs_halves else "resnet9"
    with pytest.raises(UserError, match="cannot tell padding from image"):
        setup.check(tiny.config(name, resize="pad", encoder=pictures), METHODS[name])
