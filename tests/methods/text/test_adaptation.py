"""Adaptation: the surest texts of the averaged weights, and given labels, teach, beside generated images."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.data.charset import Charset
from seqclr.data.loader import as_batch
from seqclr.methods.base import stacked
from seqclr.methods.text.adaptation import Adaptation, generated_weight
from seqclr.methods.text.characters import character_contrast
from seqclr.methods.text.consistency import frame_consistency
from seqclr.methods.text.ctc import ReaderInfo, ctc_head, ctc_loss
from seqclr.methods.text.self_training import teacher_logits
from seqclr.nn.encoders import build_encoder
from seqclr.transforms.generated import KEYS
from tests.engine import tiny

CHARSET = Charset("0123456789", "lower")
LENGTHS = (2, 3)


def made(resize="stretch", labels=((), (1, 2), (), ()), refused=None, with_records=False, **keys) -> tuple:
    """The method on an encoder of new weights, a batch of four images of a site, and, if asked for, their records."""
    method = Adaptation(**{"first_share": 0.5, "last_share": 0.5, "generated_weight": 0.3, "relabellings": 4, **keys})
    keras.utils.set_random_seed(1)  # a text of new weights may have hardly any probability
    encoder = build_encoder("tiny", 16, 64, "none", dropout=0.0)
    weights = ctc_head(encoder.dim, 11, 0.0).get_weights()
    of_site = {"charset": CHARSET, "lengths": LENGTHS, "labels": labels, "sources": ["site"] * len(labels)}
    info = ReaderInfo(total_steps=10, dropout=0.0, classes=11, head_weights=weights, **of_site)
    transform = method.make_site_transform("none", CHARSET, LENGTHS, labels, refused)
    method.build(encoder, info)
    pages, rng = tiny.pages(4, padded=resize == "pad"), np.random.default_rng(0)
    records = [{**pages[row], "index": np.int32(row)} for row in range(4)]
    examples = [transform(record, rng) for record in records]
    transform.close()
    batch = {name: tf.constant(value) for name, value in as_batch(examples).items()}
    return (method, batch, as_batch(records)) if with_records else (method, batch)


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_the_loss_is_that_of_the_surest_texts_of_given_labels_and_of_generated_images(resize):
    method, batch, records = made(resize, with_records=True)
    site_width, generated_width = batch.get("unlabelled_width"), batch.get("generated_width")
    method.relabel([records])
    texts, confidence = method.propagated.texts.numpy(), method.propagated.confidence.numpy()
    assert all((row >= 0).sum() in LENGTHS for row in texts)
    surest = sorted((0, 2, 3), key=lambda row: -confidence[row])[:2]  # of three without a label, half
    labels = {row: texts[row] for row in surest} | {1: np.array([1, 2])}

    def ctc(images, label, widths) -> float:
        features, mask = method.encoder(images[None], None if widths is None else widths[None], training=False)
        return float(ctc_loss(tf.constant(label[None], tf.int32), method.head(features, training=False), mask)[0])

    site = sum(ctc(batch["strong"][i], label[label >= 0], None if site_width is None else site_width[i])
               for i, label in labels.items()) / 4  # fmt: skip
    widths = [None] * 4 if generated_width is None else stacked(generated_width)
    rows = zip(stacked(batch["generated"]), stacked(batch["label"]).numpy(), widths, strict=True)
    generated = np.mean([ctc(image, label[label >= 0], width) for image, label, width in rows])
    logs = method.loss(batch, training=False)
    assert float(logs["accepted"]) == len(labels) / 4
    assert float(logs["site"]) == pytest.approx(site, rel=1e-4)
    assert float(logs["generated"]) == pytest.approx(generated, rel=1e-4)
    assert float(logs["loss"]) == pytest.approx(site + 0.3 * generated, rel=1e-4)


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_characters_and_frames_of_the_site_have_losses_of_their_own(resize):
    method, batch = made(resize, contrast=0.5, consistency=0.25)
    logs = method.loss(batch, training=False)
    expected = logs["site"] + 0.3 * logs["generated"] + 0.5 * logs["contrast"] + 0.25 * logs["consistency"]
    assert float(logs["loss"]) == pytest.approx(float(expected), rel=1e-5)

    site_width, generated_width = batch.get("unlabelled_width"), batch.get("generated_width")
    teacher, mask = teacher_logits(method, batch["weak"], site_width)
    features, _ = method.encoder(batch["strong"], site_width, training=False)
    student = method.head(features, training=False)
    consistency = frame_consistency(teacher, student, batch["geometry"], mask)
    assert float(logs["consistency"]) == pytest.approx(float(consistency), rel=1e-4)

    images, labels = (stacked(batch[name]) for name in ("generated", "label"))
    features, mask = method.encoder(
        images, None if generated_width is None else stacked(generated_width), training=False
    )
    rows = method.projector(features, mask, training=False), method.head(features, training=False)
    generated = character_contrast(*rows, labels, tf.ones(4, tf.bool), mask)
    assert float(logs["contrast"]) != pytest.approx(float(generated), rel=1e-2)  # the site's are among them
    nothing = {**batch, "text": tf.fill(batch["text"].shape, -1)}
    method.first_share = method.last_share = 0.0
    assert float(method.loss(nothing, training=False)["contrast"]) == pytest.approx(float(generated), rel=1e-4)


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_fixed_texts_need_no_generated_images(resize):
    method, batch = made(resize, labels=((), (1, 2), (), ()), contrast=0.5)
    method.propagated.assign(np.array([0, 2]), np.array([[3, 4, -1], [5, 6, 7]]), np.array([0.9, 0.6]))
    late = {name: rows for name, rows in batch.items() if name not in KEYS}
    method.late_weight = 0.0
    method.averaged.updates.assign(6)
    whole = method.loss(batch, training=False)
    logs = method.loss(late, training=False)
    assert (float(logs["accepted"]), float(logs["generated"])) == (3 / 4, 0)  # the last image has no text
    for name in ("site", "accepted"):
        assert float(logs[name]) == pytest.approx(float(whole[name]), rel=1e-5)
    assert float(logs["loss"]) == pytest.approx(float(logs["site"] + 0.5 * logs["contrast"]), rel=1e-5)


@pytest.mark.parametrize(
    ("images", "keys", "steps"),
    [(200, {}, 6), (200, {"fixed_after": 0.4}, 4), (50, {}, 10), (50, {"generated_weight": 0.01}, 6)],
)
def test_generated_images_are_left_out_where_they_hardly_count(images, keys, steps):
    method, _ = made(labels=[()] * images, **keys)
    assert method.generated_steps() == steps  # of 10


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_a_refused_text_is_no_label_and_has_a_loss(resize):
    method, batch, records = made(resize, with_records=True)
    width = batch.get("unlabelled_width")
    method.relabel([records])
    texts = method.propagated.texts.numpy()
    method.first_share = method.last_share = 1.0
    assert float(method.loss(batch, training=False)["accepted"]) == 1
    method.head.layers[-1].bias.assign(tf.one_hot(10, 11) * 4)  # texts that are not too unlikely
    wrong = np.full((4, 3), -1, np.int32)
    wrong[2, : texts.shape[1]] = texts[2]
    wrong[3] = 7, 8, 9
    batch["refused"] = tf.constant(wrong)
    logs = method.loss(batch, training=False)
    assert float(logs["accepted"]) == 3 / 4
    features, mask = method.encoder(batch["strong"], width, training=False)
    logits = method.head(features, training=False)
    p = np.exp(-ctc_loss(tf.constant(wrong[2:]), logits[2:], None if mask is None else mask[2:]).numpy())
    assert float(logs["refused"]) == pytest.approx(-np.log1p(-p).sum() / 4, rel=1e-2) and p.max() > 1e-5
    total = logs["site"] + 0.3 * logs["generated"] + 0.5 * logs["refused"]
    assert float(logs["loss"]) == pytest.approx(float(total), rel=1e-5)


def test_the_share_of_accepted_texts_rises_with_the_steps():
    method, _ = made()
    method.first_share, method.last_share = 0.25, 1.0
    confidence = tf.constant([0.1, 0.9, 0.5, 0.7])
    accepted = []
    for step in (0, 4, 10):
        method.averaged.updates.assign(step)
        accepted.append(int((confidence >= method.threshold(confidence)).numpy().sum()))
    assert accepted == [1, 2, 4]
    method.first_share = method.last_share = 0.0
    assert not (confidence >= method.threshold(confidence)).numpy().any()


def test_the_teacher_follows_the_weights_and_gets_no_gradient():
    method, batch = made(average=0.9)
    copies = [copy for copy, _ in method.averaged.pairs()]
    with tf.GradientTape() as tape:
        for copy in copies:
            tape.watch(copy.value)
        loss = method.loss(batch, training=False)["loss"]
    assert tape.gradient(loss, [copy.value for copy in copies]) == [None] * len(copies)
    kernel, copy = method.head.layers[-1].kernel, copies[-2]
    before = kernel.numpy()
    kernel.assign(before + 1)
    method.after_step()
    np.testing.assert_allclose(copy.numpy(), before + 0.1, atol=1e-6)


def test_generated_images_have_views_of_their_own():
    page = tiny.pages(1)[0]
    for own, of_site in (("none", "strong"), ("strong", "none")):
        method = Adaptation(generated_views=own, distinct_images=1)
        transform = method.make_site_transform(of_site, CHARSET, LENGTHS, [[]])
        example, drawn = transform(page, np.random.default_rng(0)), transform.draw(0, 16, 64, "stretch")["image"]
        transform.close()
        assert (example["generated"][0] == drawn).all() == (own == "none")
        assert (example["strong"] == page["image"]).all() == (of_site == "none")


def test_generated_texts_are_of_the_characters_and_lengths_of_the_site():
    method = Adaptation(generated_images=20)
    texts = {}
    for charset, lengths in ((Charset("ab1", "lower"), (4,)), (Charset("ab1", "keep"), (2, 3)),
                             (Charset("0123456789+=?", "lower"), (5,))):  # fmt: skip
        transform = method.make_site_transform("none", charset, lengths, [[]])
        record = {"image": np.zeros((16, 64, 3), np.uint8), "index": np.int32(0)}
        rows = transform(record, np.random.default_rng(0))["label"]
        texts[charset] = [charset.decode(row[row >= 0]) for row in rows]
        drawn = transform.texts
        transform.close()
        assert set("".join(texts[charset])) <= set(charset.characters)
        assert (drawn.sums > 0) == ("+" in charset.characters)
        assert drawn.sums or {len(text) for text in texts[charset]} <= set(lengths)
        assert ("A" in drawn.characters) == (charset.case == "lower" and "a" in charset.characters)


@pytest.mark.parametrize(
    ("labels", "sources", "weight"), [(0, 1, 1), (20, 1, 1), (50, 1, 0.2), (100, 1, 0.05), (200, 2, 0.05)]
)
def test_many_labels_outweigh_generated_images(labels, sources, weight):
    assert generated_weight([f"site{i % sources}" for i in range(labels)]) == pytest.approx(weight)
