"""Sequences: folders of frames in the order of their numbers, animations as Pillow shows them."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from PIL.GifImagePlugin import GifImageFile

from seqclr.data import images
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.data.images import decode
from seqclr.data.sequences import Sequences, expand
from seqclr.errors import UserError


def folder(path, names, start=0):
    """Frames that are lighter by 10 from one to the next, in the order of `names`."""
    path.mkdir(parents=True)
    for i, name in enumerate(names):
        Image.new("L", (16, 16), start + 10 * i).save(path / f"{name}.png")
    return path


def animation(path, count=7, **options):
    """A square that moves, on a background that the later frames leave out."""
    frames = []
    for i in range(count):
        frame = Image.new("RGBA", (20, 16), (0, 0, 0, 0) if i else (200, 90, 30, 255))
        ImageDraw.Draw(frame).rectangle((2 * i, 3, 2 * i + 4, 9), fill=(10, 20 * i, 250, 255))
        frames.append(frame)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40, **options)
    return path


def sequences(path, shortest=5, size=(16, 16)):
    dataset = ImageDataset(expand(find_unlabelled([path])), *size, "stretch", skip_bad=True)
    return Sequences(dataset, shortest)


def grays(record):
    return [int(frame[0, 0, 0]) for frame in record["frames"]]


def test_frames_of_a_folder_come_in_the_order_of_their_numbers(tmp_path):
    folder(tmp_path / "a", [f"frame{i}" for i in (1, 2, 3, 9, 10, 11, 100)])
    folder(tmp_path / "b", [f"{i}_of_120" for i in range(8, 13)], start=100)
    found = sequences(tmp_path)
    assert [grays(record) for record in found] == [[0, 10, 20, 30, 40, 50, 60], [100, 110, 120, 130, 140]]
    assert [record["index"] for record in found] == [0, 1] and len(found.samples) == 2


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.gif", {"disposal": 0}), ("a.gif", {"disposal": 1}), ("a.gif", {"disposal": 2}), ("a.png", {}),
     ("a.webp", {"lossless": True})],
)  # fmt: skip
def test_frames_of_an_animation_are_what_pillow_shows(tmp_path, name, options):
    path = animation(tmp_path / name, **options)
    shown = []
    with Image.open(path) as image:
        for i in range(image.n_frames):
            image.seek(i)
            page = Image.new("RGBA", image.size, "white")
            page.alpha_composite(image.convert("RGBA"))
            shown.append(np.asarray(page.convert("RGB")))
    samples = expand(find_unlabelled([tmp_path]))
    assert [sample.index for sample in samples] == list(range(7))
    for i in (3, 0, 6, 1, 2, 4, 5):
        np.testing.assert_allclose(decode(samples[i].read_bytes()), shown[i], atol=1)
    assert len({frame.tobytes() for frame in shown}) == 7
    frames = sequences(tmp_path, size=(16, 20))[0]["frames"]
    for i in range(7):
        np.testing.assert_array_equal(frames[i], decode(samples[i].read_bytes()))


def test_a_folder_of_animations_has_a_sequence_for_each(tmp_path):
    for name in ("one", "two"):
        animation(tmp_path / f"{name}.gif")
    Image.new("L", (16, 16)).save(tmp_path / "still.png")
    found = sequences(tmp_path)
    assert [len(record["frames"]) for record in found] == [7, 7]


def test_short_sequences_are_left_out_and_counted(tmp_path, caplog):
    folder(tmp_path / "long", range(6))
    for name in "ab":
        folder(tmp_path / name, range(4))
    assert len(sequences(tmp_path)) == 1
    assert "left out: 2 sequence(s) of fewer than 5 frames" in caplog.text


def test_a_broken_frame_is_missing_from_its_sequence(tmp_path, caplog):
    (folder(tmp_path / "a", range(7)) / "3.png").write_bytes(b"no image")
    assert grays(sequences(tmp_path)[0]) == [0, 10, 20, 40, 50, 60]
    assert "3.png" in caplog.text


def test_of_an_animation_that_is_cut_off_the_whole_frames_are_read(tmp_path, caplog):
    path = animation(tmp_path / "a.gif", disposal=2)
    whole = decode(expand(find_unlabelled([path]))[2].read_bytes())
    cut = tmp_path / "cut" / "b.gif"
    cut.parent.mkdir()
    cut.write_bytes(path.read_bytes()[:-40])
    frames = sequences(cut.parent, size=(16, 20))[0]["frames"]
    assert 5 <= len(frames) <= 7
    np.testing.assert_array_equal(frames[2], whole)


def test_an_animation_with_too_many_frames_is_left_out_and_named(tmp_path, caplog):
    long = animation(tmp_path / "long.gif", 9)
    short = animation(tmp_path / "short.gif")
    images.set_limits(images.Limits(max_frames=8))
    assert {sample.file for sample in expand(find_unlabelled([tmp_path]))} == {str(short)}
    assert caplog.messages[0].startswith(f"skipped: {long} has more frames than max_frames 8")
    short.unlink()
    with pytest.raises(UserError, match="no image can be read; the first: .*long.gif has more"):
        expand(find_unlabelled([tmp_path]))


def test_frames_after_a_damaged_one_are_reported(tmp_path, monkeypatch):
    path = animation(tmp_path / "a.gif")
    real = GifImageFile.seek

    def seek(image, frame):
        if frame == 4:
            raise IndexError("bytearray index out of range")
        return real(image, frame)

    monkeypatch.setattr(GifImageFile, "seek", seek)
    samples = expand(find_unlabelled([path]))
    assert decode(samples[3].read_bytes()).shape == (16, 20, 3)
    with pytest.raises(UserError, match="a.gif, frame 4 is damaged or truncated .bytearray"):
        samples[6].read_bytes()


def test_no_sequence_at_all_is_one_sentence(tmp_path):
    folder(tmp_path / "one", [1])
    with pytest.raises(UserError, match="one has one frame where a sequence of 5 is needed: give folders of frames or"):
        sequences(tmp_path / "one")
    folder(tmp_path / "four", range(4))
    with pytest.raises(UserError, match="four has 4 frames where a sequence of 5 is needed"):
        sequences(tmp_path)
