"""What views do to a line of text is tried, not guessed from names; and the presets keep the text."""

from pathlib import Path

import numpy as np
import pytest

from seqclr.data import images
from seqclr.engine import setup
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.synthesis import drawing, styles
from seqclr.transforms.augmentations import Slant
from seqclr.transforms.labelled import Labelled
from seqclr.transforms.readable import check_all, check_readable, coordinates, fault
from seqclr.transforms.views import Views, presets
from tests.engine import tiny

ROOT = Path(__file__).parents[2]
LINES = [name for name in presets() if not name.startswith("images")]


def views_file(folder: Path, text: str) -> str:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("Rotate, limit: [180, 180]", "left to right"),
        ("Rotate, limit: 30, border_mode: 1", "lost"),
        ("SafeRotate", "left to right"),
        ("Affine, translate_percent: 0.5", "lost"),
        ("Affine, translate_percent: {x: [-0.5, 0.5]}", "width is lost"),
        ("Affine, rotate: [-2, 2], shear: {x: [0, 0], y: [20, 20]}", "lost"),
        ("CoarseDropout, hole_height_range: [32, 32], hole_width_range: [20, 20]", "width is lost"),
        ("CoarseDropout, hole_height_range: [0.9, 0.99], hole_width_range: [0.1, 0.2], fill: 128", "change|lost"),
        ("GridDropout, ratio: 0.8", "lost|nothing"),
        ("CropAndPad, percent: [-0.2, 0.0]", "lost"),
        ("RandomGridShuffle, grid: [1, 4]", "left to right|change"),
        ("PixelDropout, dropout_prob: 1.0", "nothing"),
        ("VerticalCrop, limit: 0.3", "height is lost"),
    ],
)
def test_a_step_that_loses_or_turns_text_is_refused_by_name(tmp_path, step, why):
    file = views_file(tmp_path, f"- {{name: GaussNoise}}\n- {{name: {step}, p: 0.01}}\n")
    name = step.split(",")[0]
    with pytest.raises(UserError, match=f"(?s)mine.yaml: {name} would mirror, turn or cut the text .*({why})"):
        check_readable(file)
    with pytest.raises(UserError, match=name):
        Labelled(file, [[1]])


@pytest.mark.parametrize(
    "step",
    ["Rotate, limit: 3, border_mode: 1", "Affine, translate_percent: 0.02", "CoarseDropout", "GridDistortion",
     "ElasticTransform", "CropAndPad, px: 1", "MotionBlur", "PixelDropout"],
)  # fmt: skip
def test_what_leaves_the_text_is_taken(tmp_path, step):
    check_readable(views_file(tmp_path, f"- {{name: {step}}}"))


@pytest.mark.parametrize(
    ("step", "why"),
    [("RandomScale", "size of an image, 16x64"), ("Pad, padding: 4", "to 24x72"), ("ToFloat", "float32"),
     ("Normalize", "float32"), ("ToGray, num_output_channels: 1", r"uint8 \[16, 64\]"), ("MaskDropout", "mask"),
     ("FDA, metadata_key: a", "alone"), ("RandomSizedBBoxSafeCrop, height: 16, width: 64", "alone"),
     ("CenterCrop3D, size: [1, 2, 3]", "no transform of an image"), ("DualTransform", "alone"),
     ("BasicTransform", "arguments"), ("Compose", "take one of"), ("GaussNoise, p: 3", "p"),
     ("Clutter, lines: 1000000000", "lines"), ("VerticalCrop, limit: .nan", "limit")],
)  # fmt: skip
@pytest.mark.parametrize("encoder", ["tiny", "resnet9"])
def test_what_gives_no_image_of_that_size_is_refused_by_name(tmp_path, step, why, encoder):
    file = views_file(tmp_path, f"- {{name: {step}}}")
    with pytest.raises(UserError, match=f"mine.yaml: .*{step.split(',')[0]}.*{why}"):
        setup.check(tiny.config("simclr", encoder=encoder, views=file), METHODS["simclr"])


def test_steps_that_lose_text_only_together_are_refused(tmp_path):
    one = "- {name: Affine, translate_px: {x: [3, 3], y: [0, 0]}, border_mode: 1, p: 1}\n"
    check_readable(views_file(tmp_path, one))
    file = tmp_path / "two.yaml"
    file.write_text(one + one)
    with pytest.raises(UserError, match="Affine and Affine would"):
        check_readable(str(file))


def test_a_picture_may_be_cut_and_mirrored_as_long_as_its_size_stays(tmp_path):
    crop = "- {name: Pad, padding: 4}\n- {name: RandomCrop, height: 32, width: 32}\n- {name: HorizontalFlip}\n"
    check_all(views_file(tmp_path, crop), 32, 32, "stretch", lines=False)
    for preset in presets():
        check_all(preset, 32, 32, "stretch", lines=False)


@pytest.mark.parametrize("preset", LINES)
@pytest.mark.parametrize(("size", "resize"), [((32, 128), "stretch"), ((16, 64), "stretch"), ((32, 1024), "pad")])
def test_the_presets_of_lines_leave_the_text_at_any_size(preset, size, resize):
    check_all(preset, *size, resize, lines=True)


@pytest.mark.parametrize("preset", [name for name in presets() if name.startswith("images")])
def test_the_presets_of_pictures_are_not_for_lines(preset):
    with pytest.raises(UserError, match="would mirror, turn or cut"):
        check_readable(preset)


def test_all_views_of_a_configuration_are_tried(tmp_path):
    file = views_file(tmp_path, "- {name: RandomScale}")
    config = tiny.config("generated_simclr", encoder="tiny", generated_views=file)
    with pytest.raises(UserError, match="RandomScale"):
        setup.check(config, METHODS["generated_simclr"])


def test_an_untouched_image_has_no_fault_and_others_have():
    page = coordinates(32, 128)
    assert fault(page, 32, 128) is None
    assert "left to right" in fault(page[:, ::-1], 32, 128) and "left to right" in fault(page[::-1, ::-1], 32, 128)
    assert "width" in fault(page[:, 8:], 32, 128) and fault(page[:, 8:], 32, 128, ends=False) is None
    assert "height" in fault(page[4:], 32, 128)


def test_a_long_line_is_slanted_less():
    """Its ends move by a tenth of the height, where those of a short one move as far as it is rotated."""
    for width, most in ((128, 2), (1024, np.degrees(np.arcsin(0.2 * 32 / 1024)))):
        step = Slant(shear=0, rotate=2, p=1)
        middle = np.zeros((32, width, 3), np.uint8)
        middle[15:17] = 255
        moved = []
        for seed in range(20):
            step.set_random_seed(seed)
            view = step(image=middle)["image"][:, -1, 0].astype(float)
            moved.append(abs((view * np.arange(32)).sum() / view.sum() - 15.5))
        assert 0.8 * most < np.degrees(np.arcsin(max(moved) / (width / 2))) < 1.2 * most


def ink(image: np.ndarray) -> np.ndarray:
    """How far each pixel is from the paper."""
    return np.abs(image - np.median(image.reshape(-1, 3), 0)).max(-1)


def test_the_ink_of_seqclrs_views_stays():
    """On the samples and on drawn lines; once one view in twelve lost two fifths of it."""
    pages = [images.read(file) for file in sorted((ROOT / "data_samples/images").glob("*"))[::32]]
    pages += [np.asarray(drawing.draw(styles.load_style(name), np.random.default_rng(seed))[0])
              for name in ("ticket", "lines", "gradient") for seed in range(12)]  # fmt: skip
    views, kept, lost = Views("seqclr"), [], []
    for index, page in enumerate(pages):
        page, _ = images.fit(page, 32, 128)
        for draw in range(5):
            view, moved, (_, _, factor, offset) = views.follow(page, np.random.default_rng([index, draw]))
            before, after, whole = ink(moved), ink(view), ink(page)
            text = before > 0.35 * np.percentile(before, 99)
            kept.append(after[text].sum() / before[text].sum())
            rows = np.nonzero(whole > 0.5 * np.percentile(whole, 99))[0]
            lost.append(np.mean(np.abs((rows + 0.5) / 32 * factor + offset - 0.5) > 0.5))
    assert np.mean(np.array(kept) < 0.6) < 0.01, np.mean(np.array(kept) < 0.6)
    assert np.mean(np.array(lost) > 0.05) < 0.01, np.mean(np.array(lost) > 0.05)
