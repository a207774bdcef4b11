"""Views: reproducible, readable, refused where they would cut or mirror."""

import pickle

import numpy as np
import pytest

from seqclr.errors import UserError
from seqclr.recipes.text import Labelled, MaskedViews, TwoViews, Unlabelled, augment
from seqclr.recipes.transforms import Squeeze
from seqclr.recipes.views import Views, presets

page = np.random.default_rng(0).integers(0, 256, (32, 128, 3)).astype(np.uint8)


def test_the_presets_are_there():
    assert {"article", "seqclr", "strong"} <= set(presets())


@pytest.mark.parametrize("preset", presets())
def test_views_depend_on_the_generator_alone(preset):
    views, copy = Views(preset), pickle.loads(pickle.dumps(Views(preset)))
    first = [views(page, np.random.default_rng(seed)) for seed in range(8)]
    again = [copy(page, np.random.default_rng(seed)) for seed in range(8)]
    assert all(a.shape == page.shape and a.dtype == np.uint8 for a in first)
    assert all((a == b).all() for a, b in zip(first, again))
    assert len({a.tobytes() for a in first}) > 6  # steps are taken independently, so nearly all differ


def test_none_changes_nothing():
    assert (Views("none")(page, np.random.default_rng(0)) == page).all()


@pytest.mark.parametrize("preset", [name for name in presets() if not Views(name).cuts])
def test_a_bar_at_either_end_stays_where_it_is(preset):
    """Nothing is mirrored, and nothing is cut off at the ends: a thick bar on the left stays one, on the left."""
    bar = np.full((32, 128, 3), 255, np.uint8)
    bar[6:26, 3:15] = 0
    for place, mirrored in ((0, bar), (1, bar[:, ::-1].copy())):
        views = Views(preset)
        for seed in range(40):
            view = views(mirrored, np.random.default_rng(seed)).astype(float).mean(2)
            halves = view[:, :64], view[:, 64:]
            contrast = [np.abs(half - np.median(view)).sum() for half in halves]
            assert contrast[place] > contrast[1 - place], (preset, seed)


@pytest.mark.parametrize("preset", presets())
def test_what_a_view_tells_of_its_geometry_is_so(preset):
    """A narrow bar is found where factor and offset say, in the page that was followed."""
    views, exact = Views(preset), {"article": 0.6, "roaming": 3.0}.get(preset, 3.0)
    for seed in range(40):
        bar = np.zeros((32, 128, 3), np.uint8)
        bar[:, 56:60] = 255
        view, page, (factor, offset, _, _) = views.follow(bar, np.random.default_rng(seed))
        assert (view == views(bar, np.random.default_rng(seed))).all()
        row = page[16, :, 0].astype(float)
        found = (row * (np.arange(128) + 0.5)).sum() / row.sum()
        assert found == pytest.approx(factor * 58 + offset * 128, abs=exact), (preset, seed)


@pytest.mark.parametrize("preset", presets())
def test_what_a_view_tells_of_its_rows_is_so(preset):
    views = Views(preset)
    for seed in range(40):
        bar = np.zeros((32, 128, 3), np.uint8)
        bar[12:16] = 255
        _, page, (_, _, factor, offset) = views.follow(bar, np.random.default_rng(seed))
        column = page[:, 64, 0].astype(float)
        found = (column * (np.arange(32) + 0.5)).sum() / column.sum()
        assert found == pytest.approx(factor * 14 + offset * 32, abs=1.5), (preset, seed)


def test_a_preset_that_cuts_is_refused_for_labels():
    with pytest.raises(UserError, match="roaming.*cut"):
        Labelled("roaming", [[1]])


def test_masked_views_hide_strips_and_keep_the_page():
    recipe = MaskedViews("none", 2, spans=2, span=8)
    record = {"image": page, "width": np.int32(40), "index": np.int32(0)}
    shares = []
    for seed in range(50):
        example = recipe(record, np.random.default_rng(seed))
        views, hidden, pages = (example[key] for key in ("views", "hidden", "pages"))
        assert not hidden[:, 40:].any() and (pages == page.mean(-1).round()).all()
        for view, columns in zip(views, hidden):
            assert (view[:, ~columns] == page[:, ~columns]).all() and np.ptp(view[:, columns], axis=(0, 1)).max() == 0
        shares.append(hidden[:, :40].mean())
    assert 0.2 < np.mean(shares) <= 0.4


def test_squeeze_keeps_the_whole_page():
    corners = np.full((32, 128, 3), 255, np.uint8)
    for y, x in ((2, 2), (2, 122), (26, 2), (26, 122)):
        corners[y : y + 4, x : x + 4] = 0
    squeeze = Squeeze(scale=(0.8, 1.0), p=1.0)
    for seed in range(30):
        squeeze.set_random_seed(seed)
        dark = squeeze(image=corners)["image"][..., 0] < 110
        assert all(dark[rows, columns].any() for rows in (slice(16), slice(16, 32)) for columns in
                   (slice(64), slice(64, 128)))  # fmt: skip


@pytest.mark.parametrize("name", ["HorizontalFlip", "VerticalFlip", "Transpose", "RandomRotate90", "RandomCrop"])
def test_what_would_change_the_text_is_refused(tmp_path, name):
    file = tmp_path / "views.yaml"
    file.write_text(f"- {{name: {name}, p: 0.5}}\n")
    with pytest.raises(UserError, match=name):
        Views(str(file))


@pytest.mark.parametrize(
    ("text", "word"),
    [("- {name: Blurr}", "Blurr"), ("- {name: GaussianBlur, blurring: 3}", "GaussianBlur"), ("a: 1", "list"),
     ("- {name: Squeeze, scale: [1.0, 1.2]}", "Squeeze")],
)  # fmt: skip
def test_a_bad_file_is_named(tmp_path, text, word):
    file = tmp_path / "views.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=f"(?s){file.name}.*{word}"):
        Views(str(file))


def test_an_unknown_preset_lists_the_known():
    with pytest.raises(UserError, match="article.*strong"):
        Views("artical")


def test_examples():
    record = {"image": page, "width": np.int32(128), "index": np.int32(1)}
    two = TwoViews("article")(record, np.random.default_rng(0))
    assert two["geometry"].shape == (2, 4) and two["index"] == 1
    assert two["views"].shape == (2, 32, 128, 3) and (two["views"][0] != two["views"][1]).any()
    one = Labelled("none", [[1, 2, 3], [4]])(record, np.random.default_rng(0))
    assert one["label"].tolist() == [4, -1, -1] and (one["image"] == page).all()


def test_padding_is_left_alone():
    record = {"image": page, "width": np.int32(50), "index": np.int32(0)}
    view = augment(Views("strong"), record, np.random.default_rng(3))
    assert (view[:, 50:] == page[:, 50:]).all() and (view[:, :50] != page[:, :50]).any()


def test_views_that_cut_are_refused_for_what_the_teacher_reads():
    with pytest.raises(UserError, match="roaming.*cut"):
        Unlabelled("roaming", "strong")
