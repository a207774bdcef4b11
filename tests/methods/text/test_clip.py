"""CLIP: what is contrasted with what, and that texts are found by their images."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr import losses
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.base import RunInfo
from seqclr.nn.encoders import build_encoder
from seqclr.recognition.matching import Matcher
from tests.engine import tiny


def made(texts, **keys):
    keras.utils.set_random_seed(0)
    method = METHODS["clip"](**keys)
    method.prepare([Sample("bars", f"{i}.png", text) for i, text in enumerate(texts)])
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    return method


def batch(rows):
    return {
        name: tf.constant(value[:, :1] if name in ("views", "geometry") else value)
        for name, value in tiny.seeded(rows).items()
    }


def test_equal_texts_of_a_batch_are_positives_of_each_other():
    method = made(["ab", "b", "ab", "abc"], text_length=2)  # the last is cut to the first
    images = method.image_vectors(batch(4)["views"][:, 0], training=True)
    texts = method.text_vectors(tf.constant([[97, 98], [98, 0]]))
    expected = losses.clip(images, tf.gather(texts, [0, 1, 0, 0]), np.log(1 / 0.07), np.array([0, 1, 0, 0]))
    figures = method.loss(batch(4), training=True)
    assert float(figures["loss"]) == pytest.approx(float(expected), rel=1e-4)
    assert float(figures["scale"]) == pytest.approx(1 / 0.07)


def test_the_scale_stays_at_100_and_can_leave_it():
    method = made(["a", "b"])
    method.logit_scale.assign(7.0)
    method.after_step()
    with tf.GradientTape() as tape:
        figures = method.loss(batch(2), training=True)
    assert float(figures["scale"]) == pytest.approx(100)
    assert float(tape.gradient(figures["loss"], method.logit_scale.value)) != 0


@pytest.mark.slow
def test_texts_are_found_by_their_images(tmp_path, monkeypatch):
    """Two digits as bars, by the texts of the other digits of the batch too; and words are chosen among two."""

    def labelled(source, file, text=None, index=None):
        if text is not None:
            text = "".join(map(str, tiny.LABELS[int(file.removesuffix(".png").rsplit("-")[-1])]))
        return Sample(source, file, text, index=index)

    monkeypatch.setattr(tiny, "Sample", labelled)
    job = tiny.trainer(tmp_path / "run", "clip", steps=150, dropout=0.0, learning_rate=3e-3, batch_size=16)
    assert job.fit()["accuracy"] > 0.5
    images = np.stack([record["image"] for record in tiny.pages()])
    [(word, chance), *_] = Matcher(job.method, "stretch").among(["07", "30"]).predict_batch(images[7:8])
    assert word == "07" and chance > 0.9


def test_what_cannot_be_is_refused():
    with pytest.raises(UserError, match="7.png has no label, which method=clip needs"):
        METHODS["clip"]().prepare([Sample("a", "1.png", "x"), Sample("a", "7.png")])
    with pytest.raises(UserError, match="all labels are 'x'"):
        METHODS["clip"]().prepare([Sample("a", "1.png", "x")])
    with pytest.raises(UserError, match="text_dim 6: a multiple of 4"):
        METHODS["clip"](text_dim=6)
    method = METHODS["clip"]()
    method.prepare([Sample("a", "1.png", "x"), Sample("a", "2.png", "y")])
    with pytest.raises(UserError, match="'roaming' cut off parts of the image, so labels would be wrong"):
        method.build(build_encoder("least", 16, 64, "none"), RunInfo(views="roaming"))
    method.build(build_encoder("least_picture", 16, 16, "none"), RunInfo(views="images"))
