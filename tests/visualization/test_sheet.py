"""Sheets: where cells lie."""

import numpy as np
import pytest
from PIL import Image

from seqclr import cli, files
from seqclr.visualization.sheet import GAP, LINE, sheet


def test_pictures_stand_in_columns_of_their_own_width_and_words_beside(tmp_path):
    rng = np.random.default_rng(0)
    small, large = rng.integers(0, 100, (2, 10, 60, 3)).astype(np.uint8), np.full((2, 5, 300, 3), 77, np.uint8)
    sheet({"small": small, "large": large, "said": ["one", ""]}, tmp_path / "sheet.png")
    page = np.asarray(Image.open(tmp_path / "sheet.png"))
    for row in range(2):
        top = LINE + GAP + row * (20 + GAP)
        doubled = small[row].repeat(2, axis=0).repeat(2, axis=1)
        np.testing.assert_array_equal(page[top : top + 20, GAP : GAP + 120], doubled)
        left = GAP + 120 + GAP
        np.testing.assert_array_equal(page[top : top + 5, left : left + 300], large[row])  # as it is, at the top
        words = page[top : top + LINE, left + 300 + GAP :]
        assert (words.min() < 50) == (row == 0)
    assert page[:LINE, GAP : GAP + 30].min() < 50  # the title
    assert not (page[LINE + GAP + 20 : LINE + 2 * GAP + 20] != page[0, 0]).any()


def test_columns_of_different_lengths_and_no_room_are_reported(tmp_path):
    with pytest.raises(ValueError):
        sheet({"a": np.zeros((2, 4, 4, 3), np.uint8), "b": ["one"]}, tmp_path / "sheet.png")
    with pytest.raises(files.NotWritten):
        sheet({"b": ["one"]}, tmp_path / "nowhere" / "sheet.png")


@pytest.mark.parametrize(
    "words",
    [["show-views"], ["show-task", "--method", "simclr"], ["embed", "--model", "gone"]],
    ids=lambda words: words[0],
)
def test_an_output_that_is_no_png_is_refused_before_the_work(tmp_path, capsys, words):
    for name in ("x.foo", "x.jpg", "x"):
        assert cli.main([*words, "--data", str(tmp_path / "gone"), "--output", str(tmp_path / name)]) == 2
        assert f"{name} does not end in .png" in capsys.readouterr().err
