"""Pictures of features: what is drawn, in which colour, the same again for the same seed."""

import numpy as np
import pytest
from PIL import Image

from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find
from seqclr.engine import setup
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.probes import embeddings
from seqclr.probes.base import frames_of
from seqclr.visualization import scatter


@pytest.fixture
def drawn(monkeypatch):
    """What would be drawn."""
    seen = []
    monkeypatch.setattr(scatter, "scatter", lambda *arguments: seen.append(arguments))
    return seen


def test_separate_features_stay_separate_and_the_same_seed_draws_the_same():
    draw = np.random.default_rng(0)
    centres = np.eye(3, 16)[np.arange(60) % 3]
    features = (10 * centres + draw.normal(0, 0.3, (60, 16))).astype(np.float32)
    a, b = (scatter.t_sne(features, 0) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    distance = np.linalg.norm(a[:, None] - a[None], axis=-1) + 1e9 * np.eye(60)
    assert (distance.argmin(1) % 3 == np.arange(60) % 3).all()


def test_a_picture_has_a_colour_for_each_name(tmp_path):
    points = np.random.default_rng(0).normal(size=(400, 2))
    for count in (4, 15, 36):
        known = [*(chr(ord("!") + i) for i in range(count - 1)), "\udcff"]  # the dollar sign, and a name not in UTF-8
        names = np.array([known[i % count] for i in range(400)])
        scatter.scatter(points, names, "runs/$a$\udcff", tmp_path / f"{count}.png")
        with Image.open(tmp_path / f"{count}.png") as image:
            colours = image.convert("RGB").getcolors(2**20)
        coloured = sum(times > 30 and max(colour) - min(colour) > 60 for times, colour in colours)
        assert coloured >= min(count, 20) - 2  # two of twenty are gray


@pytest.mark.slow
def test_a_run_that_reads_shows_frames_by_what_its_head_reads(reader, pages, tmp_path, drawn):
    features, names = embeddings._by_reader(Run.open(reader), find([pages]), "cnn")
    assert features.shape == (len(names), 64) and set(names) <= set("0123456789")
    assert 24 <= len(names) < 24 * 16  # a frame a page at least, in a run that reads, and no blanks
    embeddings.embed(str(reader), [pages], str(tmp_path / "out.png"), count=20)
    ((points, shown, title, _),) = drawn
    assert points.shape == (20, 2) and set(shown) <= set("0123456789") and title == f"{reader}, transformer"


def test_a_pretrained_run_shows_frames_by_what_a_linear_head_reads(pretrained, pages, tmp_path, monkeypatch, drawn):
    monkeypatch.setattr("seqclr.probes.ctc.CTCProbe.steps", 100)
    monkeypatch.setattr(embeddings, "LEAST", 1)
    monkeypatch.setattr(scatter, "t_sne", lambda features, seed: features)
    embeddings.embed(str(pretrained), [pages], str(tmp_path / "out.png"), layer="cnn")
    ((features, shown, title, _),) = drawn
    run = Run.open(pretrained)
    held = ImageDataset(find([pages], split="test"), 16, 64, run.config().resize)
    frames = frames_of(setup.make_encoder(run.config(), run.folder), held, "cnn").features.reshape(-1, 64)
    far = np.abs(features[:, None] - frames).max(-1).min(1)
    assert far.max() < 1e-4 and title.endswith(", cnn")  # each is a frame of the four images that the head did not see
    assert 0 < len(features) == len(shown) < len(frames) and set(shown) <= set("0123456789")  # the blanks are left out


def test_labels_of_one_character_are_classes(pretrained, pages, tmp_path, drawn):
    images = sorted((pages / "images").iterdir())[:12]
    rows = [f"{image},{i % 3}" for i, image in enumerate(images)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,text", *rows, ""]))
    embeddings.embed(str(pretrained), [tmp_path / "labels.csv"], str(tmp_path / "out.png"))
    ((points, shown, _, _),) = drawn
    assert points.shape == (12, 2) and shown.tolist() == [str(i % 3) for i in range(12)]


def test_what_cannot_be_drawn_is_refused(reader, pages, tmp_path):
    (tmp_path / "there.png").touch()
    with pytest.raises(UserError, match="there.png exists already"):
        embeddings.embed(str(reader), [pages], str(tmp_path / "there.png"))
    with pytest.raises(UserError, match="gives 3 points: at least 10"):
        embeddings.embed(str(reader), [pages], str(tmp_path / "out.png"), count=3)
    assert not (tmp_path / "out.png").exists()
