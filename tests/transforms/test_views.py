"""Views: reproducible, readable, refused where they would cut or mirror."""

import pickle

import numpy as np
import pytest

from seqclr import cli
from seqclr.engine import setup
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.transforms.apply import augment
from seqclr.transforms.augmentations import Squeeze
from seqclr.transforms.labelled import Labelled, Unlabelled
from seqclr.transforms.masked_views import MaskedViews
from seqclr.transforms.multi_crop import MultiCrop
from seqclr.transforms.two_views import TwoViews
from seqclr.transforms.views import Views, presets
from tests.engine import tiny

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
        if not 0.25 < factor * 58 / 128 + offset < 0.75:
            continue  # a crop of an image may show a part of the bar, or nothing of it
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
        if not 0.25 < factor * 14 / 32 + offset < 0.75:
            continue
        column = page[:, 64, 0].astype(float)
        found = (column * (np.arange(32) + 0.5)).sum() / column.sum()
        assert found == pytest.approx(factor * 14 + offset * 32, abs=2), (preset, seed)


def test_a_preset_that_cuts_is_refused_for_labels():
    with pytest.raises(UserError, match="roaming.*cut"):
        Labelled("roaming", [[1]])


def test_masked_views_hide_strips_and_keep_the_image():
    transform = MaskedViews("none", 2, spans=2, span=8)
    record = {"image": page, "width": np.int32(40), "index": np.int32(0)}
    shares = []
    for seed in range(50):
        example = transform(record, np.random.default_rng(seed))
        views, hidden, pages = (example[key] for key in ("views", "hidden", "originals"))
        assert not hidden[:, 40:].any() and (pages == page.mean(-1).round()).all()
        for view, columns in zip(views, hidden):
            assert (view[:, ~columns] == page[:, ~columns]).all() and np.ptp(view[:, columns], axis=(0, 1)).max() == 0
        shares.append(hidden[:, :40].mean())
    assert 0.2 < np.mean(shares) <= 0.4


def test_squeeze_keeps_the_whole_image():
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
    if name == "RandomCrop":
        file.write_text("- {name: RandomCrop, height: 16, width: 16}\n")
    with pytest.raises(UserError, match=f"{name} would mirror, turn or cut the text"):
        Labelled(str(file), [[1]])
    with pytest.raises(UserError, match=f"{name} would mirror, turn or cut the text"):
        setup.check(tiny.config("simclr", encoder="tiny", views=str(file)), METHODS["simclr"])


ASYMMETRIC = "groups: [{count: 1, steps: [{name: InvertImg, p: 1}]}, {count: 1, steps: []}]"


def test_groups_are_stacked_in_order(tmp_path):
    file = tmp_path / "views.yaml"
    file.write_text(ASYMMETRIC)
    record = {"image": page, "index": np.int32(1)}
    two = TwoViews(str(file))(record, np.random.default_rng(0))["views"]
    assert (two[0] == 255 - page).all() and (two[1] == page).all()
    with pytest.raises(UserError, match="groups"):
        Labelled(str(file), [[1]])


def test_a_list_gives_the_same_views_with_and_without_room_for_small_ones():
    record = {"image": page, "index": np.int32(1)}
    two, crops = (cls("strong")(record, np.random.default_rng(3)) for cls in (TwoViews, MultiCrop))
    assert set(two) == set(crops) and all((two[key] == crops[key]).all() for key in two)


@pytest.mark.parametrize("width", [128, 80])
@pytest.mark.parametrize("step", ["Strip", "ResizedCrop, scale: [0.1, 0.5]"])
def test_a_small_view_shows_the_strip_that_its_geometry_says(tmp_path, step, width):
    """The page's colours count its columns and rows, so every pixel tells where it is from."""
    ramp = np.zeros((32, 128, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(128) * 2 + 1, np.arange(32)[:, None] * 8 + 4
    file = tmp_path / "views.yaml"
    file.write_text(f"groups: [{{count: 2, steps: []}}, {{count: 3, size: [1.0, 0.5], steps: [{{name: {step}}}]}}]")
    record = {"image": ramp, "width": np.int32(width), "index": np.int32(1)}
    for seed in range(10):
        example = MultiCrop(str(file))(record, np.random.default_rng(seed))
        assert example["views"].shape == (2, 32, 128, 3) and example["small"].shape == (3, 32, 64, 3)
        assert example["small_width"] == width // 2
        for view, (fx, ox, fy, oy) in zip(example["small"], example["small_geometry"]):
            x = ((np.arange(width // 2) + 0.5) / 64 - ox) / fx * 256
            y = ((np.arange(32) + 0.5) / 32 - oy) / fy * 256
            inner = (slice(4, -4), slice(4, width // 2 - 4))
            np.testing.assert_allclose(view[inner][..., 0], np.broadcast_to(x, (32, width // 2))[4:-4, 4:-4], atol=2)
            np.testing.assert_allclose(view[inner][..., 1], np.repeat(y[4:-4, None], width // 2 - 8, 1), atol=2)


@pytest.mark.parametrize(
    ("text", "word"),
    [("groups: [{count: 3, steps: []}]", "3 full"), ("groups: [{count: 2}]", "count and steps"),
     ("groups: [{count: 0, steps: []}]", "count 0"),
     ("groups: [{count: 2, steps: []}, {count: 1, size: 2, steps: [{name: Strip}]}]", "size 2"),
     ("groups: [{count: 2, steps: []}, {count: 1, size: 0.5, steps: []}]", "Strip"),
     ("groups: [{count: 2, steps: []}, {count: 1, size: 0.5, steps: [{name: Strip}]}]", "small views")],
)  # fmt: skip
def test_groups_that_do_not_fit_are_refused(tmp_path, text, word):
    file = tmp_path / "views.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=word):
        TwoViews(str(file))


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


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe- {name: Strip}", b"- {name: GaussianBlur", b"- !!python/object/apply:os.system [ls]", b"groups: []",
     b"- {name: [a]}", b"- {name: 5}", b"- {name: !mine x}", b"- {1: 2, name: GaussNoise}", b"groups: 5", b"",
     b"- &a {name: ToGray}\n- *a", b"- {name: GaussNoise, p: .nan}",
     b"- {name: '${oc.env:HOME}'}", b"groups: [{count: true, steps: []}]", b"groups: [{count: 100000, steps: []}]",
     b"[" * 5000],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["show-views", "pretrain"])
def test_a_file_of_anything_else_ends_a_verb_in_one_sentence(tmp_path, pages, capsys, verb, content):
    file, output = tmp_path / "mine.yaml", tmp_path / "out.png"
    file.write_bytes(content)
    assert cli.main([verb, "--data", str(pages), "--views", str(file), "--output", str(output)]) == 2
    message = capsys.readouterr().err.strip()
    assert "mine.yaml" in message and len(message.splitlines()) == 1 and not output.exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [(["--views", "mine.yaml"], "RandomScale changes the size"), (["--copies", "900", "--images", "900"], "fewer"),
     (["--width", "100000"], "width"), (["--images", "0"], "images"), (["--views", "nothing"], "nothing")],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused_in_one_sentence(tmp_path, monkeypatch, pages, capsys, words, why):
    (tmp_path / "mine.yaml").write_text("- {name: RandomScale}")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["show-views", "--data", str(pages), "--output", "out.png", *words]) == 2
    message = capsys.readouterr().err.strip()
    assert why in message and len(message.splitlines()) == 1 and not (tmp_path / "out.png").exists()


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
