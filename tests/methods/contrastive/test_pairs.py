"""InvaSpread, CURL, CMC, PixContrast, PixPro, SimCLR's other losses: the value, from the projections themselves."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.base import RunInfo
from seqclr.methods.contrastive.pair_losses import PAIR_LOSSES
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny
from tests.losses.reference import diagonal, unit

CROPS = np.float32([[[1, 0, 1, 0], [1.25, -0.1, 1, 0]], [[1.5, -0.4, 1, 0], [1, 0.1, 1, 0]]])


def made(name, run=None, **keys):
    keras.utils.set_random_seed(0)
    method = METHODS[name](**keys)
    method.build(build_encoder("least_lab" if method.facts.needs_halves else "least", 16, 64, "none", dropout=0.0), run)
    return method


def batch(**more):
    keys = {**tiny.seeded(8), "geometry": np.tile(CROPS, (4, 1, 1)), **more}
    return {name: tf.constant(value) for name, value in keys.items()}


def value(method, data) -> float:
    return float(method.loss(data, training=True)["loss"])


def projections(method, data):
    _, mask, z = method.embed(data, training=True)
    return [x.numpy().astype(np.float64) for x in method.instances(z, data, mask)[:2]]


def frames(method, data):
    """Projections of all frames of both views, `[B, T, D]` each."""
    return np.split(method.embed(data, training=True)[2].numpy().astype(np.float64), 2)


# SimCLR's other losses


def distance(a, b):
    return np.linalg.norm(unit(a) - unit(b), axis=1)


def others(z1, z2, temperature):
    """Of all rows of both views the logit of the partner, and `[2N, 2N - 2]` of the rest."""
    z, count = np.concatenate([unit(z1), unit(z2)]), len(z1)
    logits = z @ z.T / temperature
    rest = [np.delete(row, [i, (i + count) % (2 * count)]) for i, row in enumerate(logits)]
    return np.array([logits[i, (i + count) % (2 * count)] for i in range(2 * count)]), np.array(rest)


def contrast(weigh, z1, z2, temperature=0.5, tau_plus=0.1):
    positive, rest = others(z1, z2, temperature)
    positive, rest, count = np.exp(positive), np.exp(rest), rest.shape[1]
    weights = weigh(rest)
    negative = ((weights * rest).sum(1) / weights.mean(1) - count * tau_plus * positive) / (1 - tau_plus)
    return np.mean(np.log1p(np.maximum(negative, count * np.exp(-1 / temperature)) / positive))


def align_uniform(z1, z2):
    def uniform(z):
        pairs = [np.exp(-2 * np.sum((a - b) ** 2)) for i, a in enumerate(unit(z)) for b in unit(z)[:i]]
        return np.log(np.mean(pairs))

    return np.mean(distance(z1, z2) ** 2) + (uniform(z1) + uniform(z2)) / 2


def half(z):
    return np.concatenate([z[len(z) // 2 :], z[: len(z) // 2]])


VALUES = {
    "align_uniform": align_uniform,
    "debiased": lambda z1, z2: contrast(np.ones_like, z1, z2),
    "flat_nce": lambda z1, z2: 1.0,
    "hard_negative": lambda z1, z2: contrast(lambda rest: rest, z1, z2),
    "margin_contrastive": lambda z1, z2: (
        np.mean(distance(z1, z2) ** 2) + np.mean(np.maximum(1 - distance(z1, half(z2)), 0) ** 2)
    ) / 2,
    "n_pair": lambda z1, z2: diagonal(z1 @ z2.T),
    "triplet": lambda z1, z2: np.mean(np.maximum(distance(z1, z2) - distance(z1, half(z2)) + 1, 0)),
}  # fmt: skip


def test_all_losses_are_tested_here_or_as_those_of_simclr():
    assert {*VALUES, "info_nce", "nt_xent"} == set(PAIR_LOSSES)


@pytest.mark.parametrize("name", VALUES)
def test_simclr_takes_the_loss_that_is_named(name):
    """At the temperature that its paper has, where none is given."""
    method = made("simclr", loss_name=name)
    with tf.GradientTape() as tape:
        loss = method.loss(batch(), training=True)["loss"]
    assert float(loss) == pytest.approx(VALUES[name](*projections(method, batch())), rel=1e-3)
    assert np.abs(tape.gradient(loss, method.projector.trainable_variables[-1].value)).max() > 1e-7


def test_far_rows_are_of_another_image():
    from seqclr.methods.contrastive.pair_losses import far

    for images in (2, 3, 8):
        rows = tf.repeat(tf.range(images), 4)
        assert (far(rows).numpy() != rows.numpy()).all()


@pytest.mark.parametrize("name", VALUES)
def test_a_loss_that_takes_all_negatives_says_so(name):
    with pytest.raises(UserError, match=f"negatives 'position': {name} takes all, info_nce and nt_xent can choose"):
        METHODS["simclr"](loss_name=name, negatives="position")


@pytest.mark.parametrize(("name", "temperature"), [("nt_xent", 0.1), ("info_nce", 0.1), ("hard_negative", 0.5)])
def test_a_temperature_is_that_of_the_loss_or_the_one_that_is_given(name, temperature):
    data = batch()
    by_default = value(made("simclr", loss_name=name), data)
    assert value(made("simclr", loss_name=name, temperature=temperature), data) == pytest.approx(by_default, rel=1e-4)
    assert value(made("simclr", loss_name=name, temperature=0.3), data) != pytest.approx(by_default, rel=1e-2)
    with pytest.raises(UserError, match="temperature 0.3: triplet has none, so leave it out"):
        METHODS["simclr"](loss_name="triplet", temperature=0.3)


@pytest.mark.parametrize(("name", "normed"), [("simclr", False), ("simclr", True), ("simclr_v2", True)])
def test_batch_norm_without_offset_can_end_the_head(name, normed):
    method = made(name, **({"output_norm": normed} if name == "simclr" else {}))
    last = [weight.name for weight in method.projector.layers[-1].weights]
    assert last == (["gamma", "moving_mean", "moving_variance"] if normed else ["kernel", "bias"])
    z = np.concatenate(frames(method, batch())).reshape(-1, 128)
    assert (np.abs(z.mean(0)).max() < 1e-3 and np.abs(z.std(0) - 1).max() < 0.05) == normed


def test_simclr_v2_has_a_deeper_head():
    method = made("simclr_v2")
    dense = [layer.name for layer in method.projector.layers if "dense" in layer.name]
    assert len(dense) == 3 and method.loss_name == "nt_xent"
    z1, z2 = projections(method, batch())
    positive, rest = others(z1, z2, 0.1)
    expected = np.mean(np.log(np.exp(positive) + np.exp(rest).sum(1)) - positive)
    assert value(method, batch()) == pytest.approx(expected, rel=1e-3)


# methods


def test_inva_spread_tells_each_from_all_others():
    method = made("inva_spread", frames="windows:4")
    positive, rest = others(*projections(method, batch()), 0.1)
    everything = np.exp(np.concatenate([positive[:, None], rest], 1))
    p = everything / everything.sum(1, keepdims=True)
    expected = -np.mean(np.log(p[:, 0]) + np.log1p(-p[:, 1:]).sum(1))
    assert value(method, batch()) == pytest.approx(expected, rel=1e-3)


def test_curl_compares_by_a_matrix_that_learns():
    method = made("curl", frames="windows:4")
    data = batch()
    first, second = (method.embed({**data, "views": data["views"][:, i : i + 1]}, training=True)[2] for i in range(2))
    q, k, *_ = method.instances(tf.concat([first, second], 0), data, None)
    assert method.bilinear.shape == (50, 50) and 0 <= method.bilinear.numpy().min() < method.bilinear.numpy().max() < 1
    with tf.GradientTape() as tape:
        loss = method.loss(batch(), training=True)["loss"]
    assert float(loss) == pytest.approx(diagonal(q.numpy() @ method.bilinear.numpy() @ k.numpy().T), rel=1e-4)
    assert np.abs(tape.gradient(loss, method.bilinear.value)).max() > 1e-4
    np.testing.assert_allclose(method.projector(np.ones((1, 1, 64), np.float32)).numpy().mean(), 0, atol=1e-5)


def matched_frames(method, data):
    """By image, the pairs of frames that show the same place."""
    mask = method.encode(data, training=False)[1]
    return [np.argwhere(near) for near in method.positives(data, mask).numpy()]


@pytest.mark.parametrize("padded", [False, True])
def test_pix_contrast_finds_the_frames_of_the_same_position(padded):
    method, data = made("pix_contrast"), batch(**({"width": np.int32([64, 40] * 4)} if padded else {}))
    z1, z2 = frames(method, data)  # the copy's are the same before the first step
    total = 0.0
    for i, (a, b, pairs) in enumerate(zip(unit(z1), unit(z2), matched_frames(method, data))):
        assert len(pairs) > 4 and (not padded or len(pairs) < 30)
        shown = 10 if padded and i % 2 else 16
        for x, y, found in ((a[:shown], b[:shown], pairs), (b[:shown], a[:shown], pairs[:, ::-1])):
            scores = np.exp(x @ y.T / 0.3)
            of = [np.log(scores[i].sum() / scores[i, found[found[:, 0] == i, 1]].sum()) for i in set(found[:, 0])]
            total += np.mean(of) / 8 / 2
    assert value(method, data) == pytest.approx(total, rel=1e-3)


@pytest.mark.parametrize("padded", [False, True])
def test_pix_pro_compares_smoothed_frames_with_those_of_the_same_position(padded):
    widths = np.int32([64, 40] * 4)
    method, data = made("pix_pro"), batch(**({"width": widths} if padded else {}))
    kernel, bias = (w.numpy() for w in method.transform.weights)
    total = 0.0
    for width, a, b, pairs in zip(widths, *frames(method, data), matched_frames(method, data)):
        for x, y, found in ((a, b, pairs), (b, a, pairs[:, ::-1])):
            shown = np.arange(16) < (width // 4 if padded else 16)
            alike = np.maximum(unit(x) @ unit(x).T, 0) ** 2 * shown
            smooth = alike @ (x @ kernel + bias)
            total -= 2 * np.mean([unit(smooth[i]) @ unit(y[j]) for i, j in found]) / 8
    assert value(method, data) == pytest.approx(total, rel=1e-3)


def test_pixel_methods_pair_frames_of_the_same_position():
    """What monitors look at."""
    method, data = made("pix_pro"), batch()
    first, second, image, position = method.instances(method.embed(data, training=True)[2], data, None)
    z1, z2 = frames(method, data)
    for which in (0, 1, 9):
        pairs = matched_frames(method, data)[image[which]]
        i, j = pairs[pairs[:, 0] == int(position[which])][0]
        np.testing.assert_allclose(first[which], z1[image[which], i], rtol=1e-4, atol=1e-5)
        assert np.abs(second[which] - z2[image[which], pairs[pairs[:, 0] == i, 1]]).max(1).min() < 1e-4
    assert len(image) == sum(map(len, matched_frames(method, data)))


@pytest.mark.parametrize("name", ["curl", "pix_contrast", "pix_pro"])
def test_copies_follow_and_learn_nothing(name):
    method = made(name, RunInfo(total_steps=10), target_momentum=0.9)
    copies = [v for v in method.target.weights if "updates" not in v.path]
    followed = [v for net in (method.encoder, method.projector) for v in net.variables if "seed" not in v.path]
    with tf.GradientTape() as tape:
        tape.watch([v.value for v in copies])
        loss = method.loss(batch(), training=True)["loss"]
    assert all(g is None for g in tape.gradient(loss, [v.value for v in copies]))
    old = [v.numpy() for v in copies]
    for v in followed:
        v.assign(v + 1)
    method.target.updates.assign(5)  # half of the way
    method.after_step()
    kept = 0.9 if name == "curl" else 0.95
    for copy, before, v in zip(copies, old, followed, strict=True):
        np.testing.assert_allclose(copy.numpy(), kept * before + (1 - kept) * v.numpy(), rtol=1e-4, atol=1e-5)


def test_a_position_of_an_image_needs_the_map():
    encoder = build_encoder("least", 16, 64, "none")
    encoder.grid = (4, 4)
    with pytest.raises(UserError, match="set layer=cnn"):
        METHODS["pix_pro"](layer="transformer").build(encoder)


def test_cmc_matches_lightness_with_the_colour_beside_it():
    method, data = made("cmc", frames="windows:4"), batch()
    z1, z2 = map(unit, projections(method, data))
    expected = (diagonal(z1 @ z2.T / 0.07) + diagonal(z2 @ z1.T / 0.07)) / 2
    assert value(method, data) == pytest.approx(expected, rel=1e-3)
    both = method.encoder(data["views"][:, 0], training=True)[0]  # what probes read
    np.testing.assert_allclose(np.concatenate(np.split(method.encode(data, training=True)[0], 2), 2), both, atol=1e-5)


def test_cmc_takes_the_windows_of_the_image_of_its_one_view():
    whole, data = made("cmc", frames="windows:4", correspondence="geometry"), batch()
    assert value(whole, data) == pytest.approx(
        value(whole, {**data, "views": data["views"][:, :1], "geometry": data["geometry"][:, :1]}), rel=1e-6
    )
    assert value(whole, data) != pytest.approx(value(made("cmc", frames="windows:4"), data), rel=1e-3)


@pytest.mark.parametrize("name", ["cmc", "colorization", "split_brain"])
def test_gray_images_are_refused_where_colour_is_needed(tmp_path, name):
    samples = []
    for i in range(3):
        Image.new("L", (32, 16), 60 * i).save(tmp_path / f"{i}.png")
        samples.append(Sample("a", str(tmp_path / f"{i}.png")))
    with pytest.raises(UserError, match=f"0.png is gray, as are all images that were sampled, and {name} needs"):
        METHODS[name]().prepare(samples)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 32, 3), np.uint8)).save(tmp_path / "2.png")
    METHODS[name]().prepare(samples)


@pytest.mark.parametrize("name", ["inva_spread", "curl", "pix_contrast", "pix_pro", "cmc"])
def test_losses_are_computed_in_float32(name):
    """In half precision the value is that of single precision, but for the network's own rounding."""
    data, found = batch(), {}
    for policy in ("float32", "mixed_bfloat16"):
        keras.mixed_precision.set_global_policy(policy)
        loss = made(name).loss(data, training=True)["loss"]
        found[policy] = float(loss)
        assert loss.dtype == tf.float32
    assert found["mixed_bfloat16"] == pytest.approx(found["float32"], rel=0.1, abs=0.05)
