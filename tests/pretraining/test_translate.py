"""Translating images with a run, from the command line and from Python."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

import seqclr
from seqclr import cli
from seqclr.data import images
from seqclr.pretraining import translate as translation
from seqclr.synthesis.fonts import bundled_fonts
from tests.small_runs import SMALL, run, untraced


@pytest.fixture(scope="module")
def translator(pages, tmp_path_factory):
    """A run of one step, whose font is not there any more."""
    folder = tmp_path_factory.mktemp("translate") / "cut"
    font = folder.with_name("font.ttf")
    shutil.copy(next(iter(bundled_fonts().values())), font)
    words = ["generator_channels=4", "blocks=1", "patches=8", "projection_dim=8", f"fonts={font}", *SMALL]
    with untraced():
        run("pretrain", "--method", "cut", "--data", pages, "--output", folder, "--steps", 1, *words)
    assert (folder / "plots" / "task.png").is_file()
    font.unlink()
    return folder


def test_images_keep_their_texts_and_splits(translator, pages, tmp_path):
    run("translate", pages, "--model", translator, "--output", tmp_path / "new", "--preview", tmp_path / "sheet.png")
    with open(pages / "labels.csv") as old, open(tmp_path / "new" / "labels.csv") as new:
        before, after = list(csv.DictReader(old)), list(csv.DictReader(new))
    assert [row["file"] for row in after] == [f"images/{row['file']}" for row in before]
    assert [(row["text"], row["split"]) for row in after] == [(row["text"], row["split"]) for row in before]
    method, config = translation.load(str(translator))
    source = images.fit(images.read(pages / "images" / before[0]["file"]), config.height, config.width)[0]
    expected = method.shown(source[None], None, method.generator)[0]
    written = images.read(tmp_path / "new" / after[0]["file"]).astype(int)
    np.testing.assert_allclose(written, expected, atol=1)  # a batch of more images rounds otherwise
    assert Image.open(tmp_path / "sheet.png").width > 2 * config.width
    with pytest.raises(seqclr.UserError, match="there is no folder"):
        seqclr.translate(pages, translator, tmp_path / "newer", preview=tmp_path / "nowhere" / "sheet.png")
    assert not (tmp_path / "newer").exists()


def test_names_that_repeat_are_numbered_and_images_without_texts_have_no_table(translator, tmp_path):
    for name in ("a/x.png", "b/X.jpg", "b/x-2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 20), "gray").save(tmp_path / name)
    folder = seqclr.translate([tmp_path / "a", tmp_path / "b"], translator, tmp_path / "new")
    assert sorted(path.name for path in (folder / "images").iterdir()) == ["X-2.png", "x-2-2.png", "x.png"]
    assert not (folder / "labels.csv").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"--model": "nowhere"}, "nowhere is not a run: there is no such folder"),
        ({"--model": "captcha"}, "captcha translates no images: give a run of pretrain --method cut"),
        ({"--output": "."}, ". exists already: choose another --output"),
        ({"--preview": "sheet.jpg"}, "sheet.jpg does not end in .png"),
        ({"--preview": "a.png", "--output": "a.png"}, "--preview a.png is the folder of --output"),
        ({"--preview": "a/b.png"}, "a/b.png cannot be written: there is no folder a"),
        ({"--back": None}, "CUT translates in one direction only: leave --back out"),
        ({"images": "none"}, "none does not exist: check the path"),
        ({"images": "broken"}, "x.png is not an image that can be read"),
    ],
)
def test_nothing_is_written_where_anything_is_wrong(translator, pages, tmp_path, monkeypatch, capsys, change, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.png").write_bytes(b"no image")
    before = sorted(tmp_path.rglob("*"))
    words = {"--model": str(translator), "--output": "new", "images": str(pages), **change}
    flags = [word for flag, value in words.items() if flag != "images" for word in (flag, value) if word is not None]
    assert cli.main(["translate", words["images"], *flags]) == 2
    assert told in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
