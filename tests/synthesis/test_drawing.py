"""The captcha generator: reproducible, readable, refusing what it cannot draw; and `data_samples/`, which it made."""

import csv
import random
import secrets
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import captcha.image
import cv2
import numpy as np
import pytest
from PIL import Image

from seqclr import cli
from seqclr.data import sums
from seqclr.errors import UserError
from seqclr.synthesis import variety
from seqclr.synthesis.drawing import draw, draw_labelled
from seqclr.synthesis.generate import LABELLED, UNLABELLED, generate, save
from seqclr.synthesis.styles import Style, load_style, style_names

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data_samples"


def page(name: str, *seed: int) -> tuple[np.ndarray, str]:
    image, text = draw(load_style(name), np.random.default_rng(seed))
    return np.asarray(image), text


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), dtype=float)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_style(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# ---- pages ----


@pytest.mark.parametrize("name", style_names())
def test_a_seed_gives_one_image(name):
    first, text = page(name, 7)
    random.seed(1)
    secrets.token_bytes(16)
    again, same = page(name, 7)
    other, _ = page(name, 8)
    assert text == same and np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_secrets_is_given_back_even_after_an_error():
    with pytest.raises(AttributeError):
        draw(load_style("login"), None)
    assert captcha.image.secrets is secrets
    page("login", 0)
    assert captcha.image.secrets is secrets


@pytest.mark.parametrize("name", style_names())
def test_text_and_size_are_the_styles_own(name):
    style = load_style(name)
    for seed in range(20):
        image, text = draw(style, np.random.default_rng(seed))
        assert image.mode == "RGB"
        assert set(text) <= set(style.characters)
        assert style.length[0] <= len(text) <= style.length[1]
        assert style.width[0] <= image.width <= style.width[1]
        assert style.height[0] <= image.height <= style.height[1]


@pytest.mark.parametrize("name", style_names())
def test_text_is_drawn_and_stays_inside_the_margin(name):
    bare = {"background": "plain", "background_colours": ["#808080"], "text_colours": ["white"], "colour_jitter": 0}
    none = {key: [0, 0] for key in ("curves", "lines", "dots", "blur")}
    style = replace(load_style(name), **bare, **none, speckle=0.0)
    for seed in range(20):
        ink = np.any(np.asarray(draw(style, np.random.default_rng(seed))[0]) != 128, axis=2)
        assert ink.mean() > 0.03
        inner = ink[style.margin : -style.margin, style.margin : -style.margin]
        assert inner.sum() == ink.sum()


def test_a_long_text_shrinks_to_fit():
    style = replace(load_style("login"), length=[30, 30], curves=[0, 0], dots=[0, 0], blur=[0, 0])
    pixels = np.asarray(draw(style, np.random.default_rng(0))[0])
    assert pixels.shape == (40, 120, 3)
    assert np.ptp(pixels[:, : style.margin], axis=(0, 1)).max() == 0


def test_with_a_negative_margin_text_may_be_cut_off():
    keys = {"length": [40, 40], "font_sizes": [30, 30], "wander": 0.0, "spacing": [0, 0]}
    style = replace(load_style("login"), curves=[0, 0], dots=[0, 0], blur=[0, 0], **keys)
    whole, cut = (draw_labelled(replace(style, margin=m), np.random.default_rng(0)) for m in (1, -40))
    assert whole.boxes[:, 0].min() > 0
    assert cut.boxes[0, 2] == 0 and cut.boxes[-1, 0] == cut.image.width


def test_touching_characters_are_one_shape():
    style = Style(length=[4, 4], rotation=[-20, 20], characters="vwAL", margin=8)

    def shapes(ink: np.ndarray) -> int:
        sizes = cv2.connectedComponentsWithStats(ink.astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
        return (sizes > 5).sum()  # rotation leaves single pixels

    for seed in range(10):
        apart, joined = (
            np.asarray(draw(replace(style, touching=on, spacing=gap), np.random.default_rng(seed))[0])[..., 0] < 250
            for on, gap in ((False, [2, 2]), (True, [0, 0]))
        )
        assert shapes(apart) == 4 and shapes(joined) == 1


def test_bands_invert_and_dashes_are_short():
    style = replace(Style(), lines=[0, 0], wander=0.0)
    plain, banded, dashed = (
        np.asarray(draw(replace(style, **keys), np.random.default_rng(3))[0]).astype(int)
        for keys in ({}, {"inversions": [1, 1]}, {"dashes": [1, 1], "dash_length": 6, "clutter_colours": ["red"]})
    )
    band = np.any(plain != banded, axis=2)
    assert band.any(axis=0).all() and 0.02 < band.mean() < 0.3
    np.testing.assert_array_equal(banded[band], 255 - plain[band])
    rows, columns = np.nonzero(np.any(plain != dashed, axis=2))
    assert len(rows) and np.ptp(rows) <= 7 and np.ptp(columns) <= 7


def test_presets_look_different():
    """The distance between two styles' mean statistics is several times what chance does within one of them."""
    assert len(style_names()) >= 6

    def statistics(name: str, seeds: range) -> np.ndarray:
        style = load_style(name)

        def one(seed: int) -> list[float]:
            pixels = np.asarray(draw(style, np.random.default_rng(seed))[0]) / 255
            gray = pixels.mean(axis=2)
            colour = np.ptp(pixels, axis=2).mean()
            edges = np.abs(np.diff(gray, axis=1)).mean(), np.abs(np.diff(gray, axis=0)).mean()
            return [gray.mean(), gray.std(), colour, *(4 * edge for edge in edges), pixels.shape[1] / 256]

        return np.mean([one(seed) for seed in seeds], axis=0)

    here = np.array([statistics(name, range(12)) for name in style_names()])
    there = np.array([statistics(name, range(12, 24)) for name in style_names()])
    distances = np.linalg.norm(here[:, None] - there[None], axis=2)
    within = np.diag(distances).mean()
    between = distances[~np.eye(len(here), dtype=bool)].min()
    assert between > 2 * within


# ---- folders ----


def test_a_folder_holds_what_was_asked_for(tmp_path, capsys):
    generate(tmp_path / "out", 5, "digits", seed=3, test=2, unlabelled=3)
    assert sorted(files(tmp_path / "out")) == [
        *(f"images/{i:06d}.png" for i in range(5)),
        "labels.csv",
        *(f"unlabelled/{i:06d}.png" for i in range(3)),
    ]
    labels = rows(tmp_path / "out")
    assert [row["file"] for row in labels] == [f"{i:06d}.png" for i in range(5)]
    assert [row["split"] for row in labels] == ["train"] * 3 + ["test"] * 2
    assert all(row["text"].isdigit() for row in labels)
    captured = capsys.readouterr()
    assert captured.out == "" and "8/8" in captured.err


def test_progress_can_be_silent(tmp_path, capsys):
    generate(tmp_path / "out", 1, "digits", progress=False)
    assert capsys.readouterr().err == ""


def test_a_larger_folder_begins_with_the_smaller_one(tmp_path):
    generate(tmp_path / "small", 3, "overlap", seed=1, unlabelled=2, progress=False)
    generate(tmp_path / "large", 6, "overlap", seed=1, unlabelled=4, progress=False)
    small, large = files(tmp_path / "small"), files(tmp_path / "large")
    del small["labels.csv"]
    assert small == {name: large[name] for name in small}
    assert rows(tmp_path / "small") == rows(tmp_path / "large")[:3]


def test_seeds_and_parts_differ(tmp_path):
    generate(tmp_path / "a", 2, "login", seed=0, unlabelled=2, progress=False)
    generate(tmp_path / "b", 2, "login", seed=1, unlabelled=2, progress=False)
    pages = [data for folder in "ab" for name, data in files(tmp_path / folder).items() if name.endswith(".jpg")]
    assert len(set(pages)) == 8


def test_another_process_makes_the_same_folder(tmp_path):
    generate(tmp_path / "here", 4, "login", seed=5, test=1, unlabelled=2, progress=False)
    code = "import sys; from seqclr.synthesis.generate import generate; generate(sys.argv[1], 4, 'login', 5, 1, 2)"
    subprocess.run([sys.executable, "-c", code, tmp_path / "there"], cwd=ROOT, check=True, capture_output=True)
    assert files(tmp_path / "here") == files(tmp_path / "there")


def test_characters_lengths_and_fonts_can_be_ones_own(tmp_path, capsys):
    words = ["synth", "--output", tmp_path / "out", "--count", 6, "--characters", "xyz", "--length", "2:3"]
    assert cli.main([*map(str, words), "--fonts", captcha.image.DEFAULT_FONTS[0]]) == 0
    texts = [row["text"] for row in rows(tmp_path / "out")]
    assert {len(text) for text in texts} == {2, 3} and set("".join(texts)) <= set("xyz")


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [("--length", "4-6", "length 4-6"), ("--characters", "中", "中"), ("--fonts", "nothing.ttf", "nothing.ttf"),
     ("--characters", "", "characters")],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_before_a_folder_is_made(tmp_path, capsys, option, value, word):
    assert cli.main(["synth", "--output", str(tmp_path / "out"), "--count", "1", option, value]) == 2
    assert word in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(("arguments", "word"), [({"count": -1}, "count"), ({"count": 1, "test": 2}, "test"),
                                                 ({"count": 1, "unlabelled": -1}, "unlabelled"),
                                                 ({"count": 1, "seed": -1}, "seed")])  # fmt: skip
def test_impossible_numbers_are_refused(tmp_path, arguments, word):
    with pytest.raises(UserError, match=word):
        generate(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(UserError, match="not empty"):
        generate(tmp_path, 1)
    with pytest.raises(UserError, match="mine.txt"):
        generate(tmp_path / "mine.txt", 1)
    assert files(tmp_path) == {"mine.txt": b"kept"}


# ---- styles ----


def test_a_style_file_changes_what_it_names(tmp_path):
    path = write_style(tmp_path, "characters: '01'\nlength: [3, 3]\nbackground: gradient\n")
    image, text = page(str(path), 0)
    assert len(text) == 3 and set(text) <= set("01") and image.shape == (40, 120, 3)


def test_a_font_may_be_a_path(tmp_path):
    font = Path(captcha.image.DEFAULT_FONTS[0]).as_posix()
    by_path = write_style(tmp_path, f"fonts: ['{font}']")
    pixels = page(str(by_path), 0)[0]
    by_path.write_text("fonts: [DroidSansMono]")
    assert np.array_equal(pixels, page(str(by_path), 0)[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour: red", ["colour", "known keys", "text_colours"]),
        ("length: many", ["length", "many", "[4, 5]"]),
        ("length: [4, five]", ["length", "five", "[4, 5]"]),
        ("margin: wide", ["margin", "wide"]),
        ("length: [5, 4]", ["length", "lower one first"]),
        ("length: [0, 4]", ["length", "from 1"]),
        ("width: [120]", ["width", "two numbers"]),
        ("characters: ''", ["characters"]),
        ("characters: 'ab 漢'", ["DejaVuSans", " 漢"]),
        ("fonts: [Nowhere]", ["Nowhere", "DroidSansMono"]),
        ("fonts: []", ["fonts", "at least one"]),
        ("text_colours: [blurple]", ["text_colours", "blurple"]),
        ("background: marble", ["marble", "gradient"]),
        ("format: gif", ["format", "gif", "png"]),
        ("margin: 60", ["margin"]),
        ("speckle: 2", ["speckle", "from 0 to 1"]),
        ("colour_jitter: -1", ["colour_jitter", "from 0 to 255"]),
        ("- a list", ["no keys"]),
        ("a: [", ["not a YAML file"]),
    ],
)
def test_a_wrong_style_file_is_refused_by_name(tmp_path, text, words):
    path = write_style(tmp_path, text)
    with pytest.raises(UserError) as refused:
        load_style(path)
    message = str(refused.value)
    assert "\n" not in message
    assert all(word in message for word in words)
    assert str(path) in message or "font" in message


NUMBERS = [field for field in fields(Style) if field.type in ("int", "float", "list[int]", "list[float]")]


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.name)
def test_every_number_of_a_style_has_a_range(tmp_path, field):
    """From the dataclass, so that a new key cannot be without."""
    least, most = field.metadata["least"], field.metadata["most"]
    for wrong in (least - 1, most + 1, 10**5, -(10**9), ".nan", ".inf"):
        if "int" in field.type and isinstance(wrong, str):
            continue
        value = f"[{wrong}, {wrong}]" if field.type.startswith("list") else wrong
        with pytest.raises(UserError, match=f"mine.yaml: {field.name} is .* but must be .*from {least} to {most}"):
            load_style(write_style(tmp_path, f"{field.name}: {value}"))


@pytest.mark.slow
def test_the_largest_of_everything_is_drawn():
    """Slowly, but within memory."""
    largest = {field.name: field.metadata["most"] for field in NUMBERS}
    largest = {
        name: [most, most] if isinstance(getattr(Style(), name), list) else most for name, most in largest.items()
    }
    few = {"dots": [9, 9], "dashes": [9, 9], "curves": [1, 1], "inversions": [1, 1], "width": [600, 600]}
    page, text = draw(Style(**largest | few | {"margin": 5, "height": [64, 64]}), np.random.default_rng(0))
    assert len(text) == 50 and page.size == (600, 64)


def test_an_unknown_style_lists_the_known_ones(tmp_path):
    with pytest.raises(UserError, match="'fancy'.*login"):
        generate(tmp_path / "out", 1, "fancy")
    assert not (tmp_path / "out").exists()


# ---- data_samples ----


def test_the_samples_labels_can_be_made_again():
    style = load_style("login")
    labels = rows(SAMPLES)
    assert len(labels) == 800
    for index, row in enumerate(labels):
        _, text = draw(style, np.random.default_rng([0, LABELLED, index]))
        split = "train" if index < 600 else "test"
        assert row == {"file": f"{index:06d}.jpg", "text": text, "split": split}


@pytest.mark.parametrize(
    ("folder", "part", "indices"),
    [("images", LABELLED, range(0, 800, 27)), ("unlabelled", UNLABELLED, range(0, 2000, 67))],
)
def test_the_samples_images_can_be_made_again(tmp_path, folder, part, indices):
    """Nearly: another version of Pillow, FreeType or libjpeg may round differently."""
    style = load_style("login")
    for index in indices:
        image, _ = draw(style, np.random.default_rng([0, part, index]))
        save(style, image, tmp_path / "page.jpg")
        kept = read(SAMPLES / folder / f"{index:06d}.jpg")
        assert np.abs(read(tmp_path / "page.jpg") - kept).mean() < 2


def test_the_sample_is_small():
    sizes = [path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()]
    assert len(list((SAMPLES / "unlabelled").iterdir())) == 2000
    assert sum(sizes) <= 5_000_000


PLAIN = {"background": "plain", "background_colours": ["white"], "text_colours": ["black"], "colour_jitter": 0,
         "curves": [0, 0], "lines": [0, 0], "dashes": [0, 0], "dots": [0, 0], "inversions": [0, 0], "speckle": 0.0,
         "blur": [0, 0], "ovals": [0, 0], "letters": [0, 0], "border": 0, "shadow": [0, 0]}  # fmt: skip


def test_all_ink_is_in_the_boxes_of_the_characters():
    """Of pages of all looks (warped, waved, shrunk to fit, ...), without clutter."""
    bent = rippled = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        style = replace(variety.any_style(variety.Texts("0123ABCxyz"), rng), **PLAIN)
        page = draw_labelled(style, rng)
        ink = np.asarray(page.image)[..., 0] < 215  # shrinking leaves fainter traces
        assert len(page.boxes) == len(page.text)
        outside = ink.copy()
        for box in page.boxes:
            left, top, right, bottom = (*np.floor(box[:2]).astype(int), *np.ceil(box[2:]).astype(int))
            inside = ink[top:bottom, left:right]
            if not style.ripple and not style.bulge and not style.outline:  # which enlarges them, or leaves little ink
                assert inside.any(1).mean() > 0.5 and inside.any(0).mean() > 0.5
            outside[top:bottom, left:right] = False
        assert ink.any() and not outside.any(), seed
        bent, rippled = bent + (style.wave > 0), rippled + (style.ripple > 0)
    assert bent and rippled


SHOWN = ["outline", "shadow", "ripple", "bulge", "font_each", "ovals", "letters", "border"]


@pytest.mark.parametrize("name", SHOWN)
def test_a_key_of_the_drawing_changes_the_image(name):
    value = {"outline": 1, "shadow": [2, 2], "ripple": 3.0, "bulge": 0.3, "font_each": True, "border": 2}.get(
        name, [5, 5]
    )
    plain = replace(load_style("login"), **PLAIN, font_sizes=[30, 30])
    (one, text), (other, same) = (
        draw(style, np.random.default_rng(0)) for style in (plain, replace(plain, **{name: value}))
    )
    assert len(text) == len(same) and one.size == other.size  # other draws follow, so other characters
    assert (np.asarray(one) != np.asarray(other)).any()


def test_a_hollow_character_has_a_solid_side_towards_its_rear():
    flat = Style(**PLAIN, font_sizes=[40, 40], width=[200, 200], height=[80, 80], outline=1, length=[1, 1])
    solid = replace(flat, relief=[4, -3])
    flat, solid = (draw_labelled(style, np.random.default_rng(0)) for style in (flat, solid))
    assert flat.text == solid.text and solid.ink.sum() > 1.5 * flat.ink.sum()
    grown = (solid.boxes - flat.boxes)[0]  # both are in the middle of the image
    assert grown[2] - grown[0] == 4 and grown[3] - grown[1] == 3


def test_an_offset_may_point_up_and_a_range_may_not(tmp_path):
    (tmp_path / "style.yaml").write_text("shadow: [2, -1]\noutline: 1\nrelief: [3, -2]\n")
    style = load_style(tmp_path / "style.yaml")
    assert style.shadow == [2, -1] and style.relief == [3, -2]
    (tmp_path / "style.yaml").write_text("relief: [3, -60]\n")
    with pytest.raises(UserError, match="relief.*two numbers from -50 to 50"):
        load_style(tmp_path / "style.yaml")
    (tmp_path / "style.yaml").write_text("relief: [3, -2]\n")
    with pytest.raises(UserError, match="relief.*where outline is 0"):
        load_style(tmp_path / "style.yaml")


def test_sums_can_be_answered():
    style = replace(load_style("login"), sums="+-×=?")
    texts = [draw(style, np.random.default_rng(seed))[1] for seed in range(30)]
    assert {sign for text in texts for sign in text} >= set("+-×=?0123")
    assert all(sums.answer(text) for text in texts)


def test_boxes_follow_the_text():
    page = draw_labelled(Style(**PLAIN, rotation=[-20, 20]), np.random.default_rng(0))
    centres = page.boxes[:, [0, 2]].mean(1)
    assert (np.diff(centres) > 0).all() and (page.colour == 0).all()
