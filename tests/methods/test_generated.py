"""Reading generated pages, alone and beside contrast, and what fine-tuning makes of the head."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import SMALL, run

from seqclr import cli
from seqclr.data.charset import Charset
from seqclr.methods import METHODS
from seqclr.methods.ctc import ctc_loss
from seqclr.nn.encoders import build_encoder
from seqclr.recipes import text
from seqclr.recipes.text import GeneratedPages, TwoViews
from seqclr.recognize.finetune import inherited_head
from seqclr.recognize.recognizer import Recognizer
from tests.engine import tiny


def example(**record):
    record = {"image": np.full((16, 64, 3), 255, np.uint8), "index": np.int32(0), **record}
    return GeneratedPages("none", "0123456789", Charset("0123456789"), 3, TwoViews("none"))(
        record, np.random.default_rng(0)
    )


def test_an_example_has_pages_with_their_texts_beside_the_views_of_the_image():
    made = example()
    assert made["generated"].shape == (3, 16, 64, 3) and made["views"].shape == (2, 16, 64, 3)
    lengths = (made["label"] >= 0).sum(1)
    assert all(3 <= n <= 7 for n in lengths) and made["label"].max() <= 9
    assert len({page.tobytes() for page in made["generated"]}) == 3 and "generated_width" not in made
    for name, value in example().items():
        np.testing.assert_array_equal(value, made[name], err_msg=name)


def test_padded_pages_tell_their_width():
    made = example(width=np.int32(40))
    assert made["width"] == 40 and made["generated_width"].shape == (3,)
    for page, width in zip(made["generated"], made["generated_width"]):
        assert (page[:, width:] == 255).all() and (page[:, :width] != 255).any()


def batch(padded):
    rows = [example(**({"width": np.int32(40)} if padded else {})) for _ in range(4)]
    return {name: tf.constant(np.stack([row[name] for row in rows])) for name in rows[0]}


@pytest.mark.parametrize("padded", [False, True])
def test_the_two_losses_are_those_of_their_parts(padded):
    """Reading alone is CTC of the generated pages, contrast that of SimCLR on the same weights."""
    keras.utils.set_random_seed(0)
    method = METHODS["generated_simclr"](layer="cnn", characters="0123456789", contrast=0.5)
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    made = batch(padded)
    with tf.GradientTape() as tape:
        logs = method.loss(made, training=False)
    gradient = tape.gradient(logs["contrast"], method.encoder.transformer[0].expand.kernel)
    assert gradient is None or float(tf.reduce_max(tf.abs(gradient))) == 0  # contrast is before the Transformer
    assert float(logs["loss"]) == pytest.approx(float(logs["reading"] + 0.5 * logs["contrast"]), rel=1e-5)
    _, mask, z = method.embed(made, training=False)
    assert float(logs["contrast"]) == pytest.approx(float(method.compare(method.instances(z, made, mask))), rel=1e-4)
    losses = []
    for row in range(4):
        for page in range(3):
            width = made["generated_width"][row, page : page + 1] if padded else None
            features, shown = method.encoder(made["generated"][row, page : page + 1], width, training=False)
            label = made["label"][row, page : page + 1]
            losses.append(float(ctc_loss(label, method.head(features, training=False), shown)[0]))
    assert float(logs["reading"]) == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.slow
def test_it_learns_to_read(tmp_path, monkeypatch):
    """A few pages by heart: their own texts become likelier than each other's."""
    monkeypatch.setattr(text, "PAGES", 8)
    keys = {"encoder": "tiny", "steps": 100, "learning_rate": 3e-3, "characters": "01", "views": "none"}
    job = tiny.trainer(tmp_path / "run", "generated", **keys)
    job.fit()
    held = {name: tf.constant(value) for name, value in next(job.loader).items()}
    wrong = {**held, "label": tf.roll(held["label"], 1, axis=0)}
    own, others = (float(job.method.loss(each, training=False)["loss"]) for each in (held, wrong))
    assert own < 0.5 * others, (own, others)


@pytest.fixture(scope="module")
def reading(tmp_path_factory, pages):
    folder = tmp_path_factory.mktemp("generated") / "run"
    run("pretrain", "--method", "generated_simclr", "--data", pages, "--output", folder, "--steps", 2,
        "characters=ab1", *SMALL, "generated_views=none")  # fmt: skip
    return folder


def test_the_run_reads_and_its_head_comes_along(reading, pages, tmp_path, capsys, eagerly):
    recognizer = Recognizer.load(reading)
    assert recognizer.charset.characters == "ab1"
    *hidden, kernel, bias = recognizer.head.get_weights()
    *same, rows, offsets = inherited_head(reading, recognizer.encoder.dim, Charset("1Ax"))
    for a, b in zip(hidden, same, strict=True):
        np.testing.assert_array_equal(a, b)
    for found, known in ((rows, kernel), (offsets[None], bias[None])):
        np.testing.assert_array_equal(found[:, 0], known[:, 2])  # 1
        np.testing.assert_array_equal(found[:, 1], known[:, 0])  # A as a
        np.testing.assert_allclose(found[:, 2], known[:, :3].mean(1), rtol=1e-6)  # x is not known
        np.testing.assert_array_equal(found[:, 3], known[:, 3])  # the blank
    run("finetune", "--data", pages, "--pretrained", reading, "--output", tmp_path / "run", "--steps", 1, *SMALL)
    assert "it knows 1 of 10 characters" in capsys.readouterr().err


def test_views_that_cut_are_refused_for_generated_pages(pages, tmp_path, capsys):
    words = ["pretrain", "--method", "generated", "--data", str(pages), "--output", str(tmp_path / "run")]
    assert cli.main([*words, "views=roaming"]) == 2
    assert "cut off parts" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_letters_are_read_in_one_case():
    recipe = GeneratedPages("none", "aA1", Charset("aA1", "lower"), 40)
    labels = recipe({"image": np.zeros((16, 64, 3), np.uint8)}, np.random.default_rng(0))["label"]
    seeds = np.random.default_rng(0).integers(text.PAGES, size=40)
    for label, seed in zip(labels, seeds):
        _, shown = text.generated_page("aA1", int(seed), 16, 64, "stretch")
        assert "".join("a1"[i] for i in label if i >= 0) == shown.lower()
    assert labels.max() == 1
