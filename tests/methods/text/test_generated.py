"""Reading generated pages, alone and beside contrast, and what fine-tuning makes of the head."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr import cli
from seqclr.data.charset import Charset, frames_needed
from seqclr.engine.trainer import TrainingFailed
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.base import RunInfo
from seqclr.methods.text.ctc import ctc_loss
from seqclr.nn.encoders import build_encoder
from seqclr.recognition.inheritance import inherited_head
from seqclr.recognition.recognizer import Recognizer
from seqclr.synthesis import variety
from seqclr.transforms import generated
from seqclr.transforms.generated import FACTS, GeneratedImages
from seqclr.transforms.two_views import TwoViews
from tests.engine import tiny
from tests.small_runs import SMALL, run, untraced

DIGITS = variety.Texts("0123456789")


def example(**record):
    record = {"image": np.full((16, 64, 3), 255, np.uint8), "index": np.int32(0), **record}
    return GeneratedImages("none", DIGITS, Charset("0123456789"), 3, 20_000, TwoViews("none"))(
        record, np.random.default_rng(0)
    )


def test_an_example_has_generated_images_with_their_texts_beside_the_views_of_the_image():
    made = example()
    assert made["generated"].shape == (3, 16, 64, 3) and made["views"].shape == (2, 16, 64, 3)
    lengths = (made["label"] >= 0).sum(1)
    assert all(3 <= n <= 7 for n in lengths) and made["label"].max() <= 9
    assert len({page.tobytes() for page in made["generated"]}) == 3 and "generated_width" not in made
    for name, value in example().items():
        np.testing.assert_array_equal(value, made[name], err_msg=name)


def test_padded_images_tell_their_width():
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
    assert float(logs["loss"]) == pytest.approx(float(logs["ctc"] + 0.5 * logs["contrast"]), rel=1e-5)
    _, mask, z = method.embed(made, training=False)
    assert float(logs["contrast"]) == pytest.approx(float(method.compare(method.instances(z, made, mask))), rel=1e-4)
    losses = []
    for row in range(4):
        for page in range(3):
            width = made["generated_width"][row, page : page + 1] if padded else None
            features, shown = method.encoder(made["generated"][row, page : page + 1], width, training=False)
            label = made["label"][row, page : page + 1]
            losses.append(float(ctc_loss(label, method.head(features, training=False), shown)[0]))
    assert float(logs["ctc"]) == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.slow
def test_it_learns_to_read(tmp_path):
    """A few pages by heart: their own texts become likelier than each other's."""
    keys = {
        "encoder": "tiny",
        "distinct_images": 8,
        "steps": 100,
        "learning_rate": 3e-3,
        "characters": "01",
        "views": "none",
    }
    job = tiny.trainer(tmp_path / "run", "generated", **keys)
    job.fit()
    held = {name: tf.constant(value) for name, value in next(job.loader).items()}
    wrong = {**held, "label": tf.roll(held["label"], 1, axis=0)}
    own, others = (float(job.method.loss(each, training=False)["loss"]) for each in (held, wrong))
    assert own < 0.5 * others, (own, others)


@pytest.fixture(scope="module")
def reading(tmp_path_factory, pages):
    folder = tmp_path_factory.mktemp("generated") / "run"
    words = ["--method", "generated_simclr", "characters=ab1", "generated_views=none"]
    with untraced():
        run("pretrain", "--data", pages, "--output", folder, "--steps", 2, *words, *SMALL)
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
    assert "with 1 of 10 characters" in capsys.readouterr().err


def test_pretraining_starts_from_the_architecture_encoder_and_head_of_a_reader(reading, pages, tmp_path, eagerly):
    words = ["--processes", 0, "--precision", "float32", "--batch-size", 4, "--steps", 1, "views=none"]
    run("pretrain", "--method", "pseudo_characters", "--init", reading, "--data", pages, "--output", tmp_path / "run",
        "characters=b1x", "learning_rate=0", "distinct_images=4", *words)  # fmt: skip
    first, second = Recognizer.load(reading), Recognizer.load(tmp_path / "run")
    assert second.charset.characters == "b1x" and second.encoder.width == first.encoder.width == 64
    for a, b in zip(first.encoder.trainable_variables, second.encoder.trainable_variables, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    kernels = [reader.head.layers[-1].kernel.numpy() for reader in (first, second)]
    np.testing.assert_allclose(kernels[1][:, [0, 1, 3]], kernels[0][:, [1, 2, 3]], atol=1e-6)


def test_views_that_cut_are_refused_for_generated_images(pages, tmp_path, capsys):
    words = ["pretrain", "--method", "generated", "--data", str(pages), "--output", str(tmp_path / "run")]
    assert cli.main([*words, "views=roaming"]) == 2
    assert "cut off parts" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_letters_are_read_in_one_case():
    texts = variety.Texts("aA1")
    transform = GeneratedImages("none", texts, Charset("aA1", "lower"), 40, 1000)
    labels = transform({"image": np.zeros((16, 64, 3), np.uint8)}, np.random.default_rng(0))["label"]
    seeds = np.random.default_rng(0).integers(1000, size=40)
    for label, seed in zip(labels, seeds):
        _, shown = variety.draw(texts, np.random.default_rng(int(seed)))
        assert "".join("a1"[i] for i in label if i >= 0) == shown.lower()
    assert labels.max() == 1


@pytest.mark.parametrize("resize", ["pad", "stretch"])
def test_every_text_fits_its_frames(resize):
    """Of two characters many repeat; a page that fits is the one that it was."""
    texts, redrawn = variety.Texts("01", (3, 6)), 0
    transform = GeneratedImages("none", texts, Charset("01"), 1, 1000)
    for seed in range(60):
        page = transform.draw(seed, 16, 32, resize)
        ids = page["label"][page["label"] >= 0]
        assert frames_needed(ids) <= -(-int(page.get("width", 32)) // 4), seed
        first = [int(c) for c in variety.draw(texts, np.random.default_rng(seed))[1]]
        redrawn += first != ids.tolist()
        assert first == ids.tolist() or frames_needed(first) > 8 or resize == "pad"
    assert 0 < redrawn < 30


def test_one_case_makes_neighbours_of_two(monkeypatch):
    monkeypatch.setattr(generated, "REDRAWN", 20)
    transform = GeneratedImages("none", variety.Texts("aA", (4, 4)), Charset("aA", "lower"), 1, 1000)
    with pytest.raises(UserError, match="4 to 4 characters.*16x24.*raise width"):
        transform.draw(0, 16, 24, "stretch")  # 7 frames are needed, there are 6
    assert transform.draw(0, 16, 28, "stretch")["label"].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("keys", "needed"), [({"length": "5:9"}, 9), ({"characters": "aA", "length": "5"}, 9)])
def test_lengths_that_no_frames_can_spell_are_refused(keys, needed):
    method = METHODS["generated"](**keys)
    with pytest.raises(
        UserError, match=f"length {keys['length']} needs {needed} frames.*width 32 gives 8.*{4 * needed}"
    ):
        method.build(build_encoder("least", 16, 32, "none", dropout=0.0))


@pytest.mark.parametrize("length", ["", "0", "4:", "6:4", "a", "4-6", "-1", "246", "1:2:3", "²"])
def test_what_is_no_length_is_refused(length):
    with pytest.raises(UserError, match=f"length {length}: 1 to 50"):
        METHODS["generated"](length=length)


def test_the_lengths_and_fonts_are_those_that_were_asked_for():
    transform = METHODS["generated"](length="4:5", fonts="DejaVuSans", characters="ab1", styles=1.0).make_transform(
        "none"
    )
    made = [transform({"image": np.zeros((16, 64, 3), np.uint8)}, np.random.default_rng(seed)) for seed in range(10)]
    assert {int((each["label"] >= 0).sum()) for each in made} == {4, 5}
    assert all(each["font"] == 0 and each["boxes"].shape == (1, 5, 4) for each in made)
    with pytest.raises(UserError, match=r"'中' \(U\+4E2D\)"):
        METHODS["generated"](fonts="DejaVuSans", characters="a中").make_transform("none")


def test_an_image_is_drawn_once_for_all_processes(monkeypatch):
    transform = GeneratedImages("none", DIGITS, Charset("0123456789"), 1, 1000, facts=True)
    first = [transform.draw(seed, 16, 64, "pad") for seed in range(5)]
    copy = pickle.loads(pickle.dumps(transform))
    monkeypatch.setattr(variety, "draw_labelled", None)
    for seed, page in enumerate(first):
        again = copy.draw(seed, 16, 64, "pad")
        assert again.keys() == page.keys() and all((again[name] == page[name]).all() for name in page)
    with pytest.raises(TypeError):
        copy.draw(5, 16, 64, "pad")


def test_an_infinite_loss_is_not_blamed_on_the_learning_rate(tmp_path, eagerly, monkeypatch):
    """Sixteen equal characters in as many frames."""
    job = tiny.trainer(tmp_path / "run", "generated", steps=1, length="16")
    page = {"image": 0, "width": 64, "label": [0] * 16, "boxes": -1, "font": 0, "background": 0, "colour": 0}
    monkeypatch.setattr(GeneratedImages, "render", lambda *_: page)
    with pytest.raises(TrainingFailed) as failed:
        job.fit()
    assert "infinite" in str(failed.value) and "more frames" in str(failed.value)
    assert "learning" not in str(failed.value)


TOLD = {"boxes": 2.0, "styles": 0.5, "domain": 0.1}


def told(padded, run=None, **keys):
    """A batch with the facts of its pages, and a method on it."""
    keras.utils.set_random_seed(0)
    method = METHODS["generated"](characters="0123456789", generated_images=2, **keys)
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0), run)
    transform, rng = method.make_transform("none"), np.random.default_rng(0)
    record = {"image": np.full((16, 64, 3), 90, np.uint8), **({"width": np.int32(48)} if padded else {})}
    rows = [transform({**record, "index": np.int32(i)}, rng) for i in range(4)]
    return method, {name: tf.constant(np.stack([row[name] for row in rows])) for name in rows[0]}


def test_boxes_are_where_the_view_shows_the_characters():
    """A page moved and squeezed: within its boxes the view is darker than around them."""
    transform, rng = (
        GeneratedImages("article", DIGITS, Charset("0123456789"), 12, 1000, facts=True),
        np.random.default_rng(2),
    )
    made = transform({"image": np.zeros((32, 128, 3), np.uint8), "index": 0}, rng)
    still = GeneratedImages("none", DIGITS, Charset("0123456789"), 12, 1000, facts=True)
    plain = still({"image": np.zeros((32, 128, 3), np.uint8), "index": 0}, np.random.default_rng(2))
    assert made["boxes"].shape == (12, 7, 4)
    np.testing.assert_array_equal((made["boxes"] >= 0).all(2).sum(1), (made["label"] >= 0).sum(1))
    assert 0 <= made["font"].min() and made["font"].max() < len(variety.text_fonts("0123456789"))
    assert ((0 <= made["colour"]) & (made["colour"] <= 1)).all() and made["background"].max() < 4
    squeezed = 0
    for moved, kept in zip(made["boxes"], plain["boxes"]):
        moved, kept = (boxes[kept[:, 0] >= 0][:, [0, 2]].ravel() for boxes in (moved, kept))
        factor, offset = np.polyfit(kept, moved, 1)
        np.testing.assert_allclose(moved, factor * kept + offset, atol=0.01)
        assert 0.8 < factor < 1.001
        squeezed += factor < 0.99
    assert squeezed > 3


@pytest.mark.parametrize("padded", [pytest.param(False, marks=pytest.mark.slow), True])
def test_losses_of_targets_beside_the_text_add_up(padded):
    method, made = told(padded, **TOLD)
    logs = {name: float(value) for name, value in method.loss(made, training=False).items()}
    parts = sum(weight * logs[name] for name, weight in TOLD.items())
    assert logs["loss"] == pytest.approx(logs["ctc"] + parts, rel=1e-5)
    assert all(logs[name] > 0 for name in TOLD) and 0 <= logs["domain_accuracy"] <= 1
    plain, same = told(padded)
    assert set(plain.parts()) == set(method.parts()) - {"more"} and not set(FACTS) & set(same)
    assert list(plain.loss(same, training=False)) == ["loss"]
    alone = plain.loss({name: made[name] for name in made}, training=False)["loss"]
    assert float(alone) == pytest.approx(logs["ctc"], rel=1e-4)


def test_the_domain_head_learns_what_the_encoder_unlearns():
    """At half of the run the gradient of the domain's loss comes to the encoder with the other sign, and as the ramp
    has it; that of the head is its own."""
    method, made = told(False, RunInfo(total_steps=10), domain=1.0)
    gradients = []
    for step in (0, 5):
        method.more.steps.assign(step)
        with tf.GradientTape() as tape:
            loss = method.loss(made, training=False)["domain"]
        of = [method.encoder.norm.beta, method.more.domain.layers[-1].kernel]
        gradients.append([gradient.numpy() for gradient in tape.gradient(loss, of)])
    (none, first), (reversed_, second) = gradients
    np.testing.assert_array_equal(none, 0)
    np.testing.assert_allclose(first, second)
    with tf.GradientTape() as tape:
        features, _ = method.encoder(tf.concat([*tf.unstack(made["generated"], axis=1), made["views"][:, 0]], 0))
        logits = method.more.domain(tf.reduce_mean(features, 1, keepdims=True))[:, 0, 0]
        loss = tf.reduce_mean(tf.nn.softplus(-logits[:8])) / 2 + tf.reduce_mean(tf.nn.softplus(logits[8:])) / 2
    straight = tape.gradient(loss, method.encoder.norm.beta)
    np.testing.assert_allclose(reversed_, -np.tanh(2.5) * straight.numpy(), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("name", ["generated", pytest.param("generated_simclr", marks=pytest.mark.slow)])
def test_a_short_run_with_all_targets(tmp_path, eagerly, name):
    job = tiny.trainer(tmp_path / "run", name, steps=2, resize="pad", **TOLD)
    logs = job.fit()
    assert int(job.method.more.steps.numpy()) == 2
    assert np.isfinite([logs[name] for name in ("ctc", *TOLD, "domain_accuracy")]).all()


@pytest.mark.slow
def test_where_characters_lie_is_learned(tmp_path):
    keys = {
        "distinct_images": 16,
        "steps": 60,
        "learning_rate": 3e-3,
        "characters": "01",
        "views": "none",
        "boxes": 1.0,
        "styles": 0.3,
    }
    job = tiny.trainer(tmp_path / "run", "generated", dropout=0.0, **keys)
    held = {name: tf.constant(value) for name, value in next(job.loader).items()}
    before = job.method.loss(held, training=False)
    job.fit()
    after = job.method.loss(held, training=False)
    assert float(after["boxes"]) < 0.6 * float(before["boxes"])
    assert float(after["styles"]) < 0.8 * float(before["styles"])


def test_images_are_shown_with_their_texts():
    method, made = told(False)
    shown = method.preview_inputs({name: value.numpy() for name, value in made.items()})
    np.testing.assert_array_equal(shown["image"], made["generated"][:, 0])
    label = made["label"][0, 0].numpy()
    assert shown["target"][0] == "".join(map(str, label[label >= 0]))
