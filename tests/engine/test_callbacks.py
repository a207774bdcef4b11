"""What looks at training and writes beside it."""

import numpy as np
import pytest
from PIL import Image

from seqclr.engine.callbacks import Previews, draw_curves, standard
from tests.engine import tiny


@pytest.mark.slow
def test_a_run_that_ends_within_its_profile_has_one(tmp_path):
    job = tiny.trainer(tmp_path / "run", "ctc", steps=12, profile=True)
    job.callbacks += standard(job.run, job.config)
    job.fit()
    assert list(job.run.folder.glob("profile/**/*.xplane.pb"))


def test_drawings_show_the_same_images_and_what_the_network_draws_of_them_now(tmp_path, eagerly):
    job = tiny.trainer(tmp_path / "run", "inpainting", steps=2, views="none", resize="pad")
    drawing = Previews(job.run, job.method, job.loader.records, "none")
    drawing.on_train_end()
    before = np.asarray(Image.open(job.run.plots / "task.png"))
    weights = tiny.weights(job)
    drawing.on_train_end()
    np.testing.assert_array_equal(np.asarray(Image.open(job.run.plots / "task.png")), before)
    assert all((a == b).all() for a, b in zip(weights.values(), tiny.weights(job).values()))
    job.callbacks.append(drawing)
    job.fit()
    changed = (np.asarray(Image.open(job.run.plots / "task.png")) != before).any((0, 2))
    drawn = len(changed) * 2 // 3
    assert changed[drawn:].any() and not changed[:drawn].any()  # the third column alone


@pytest.mark.parametrize("rounds", [1, 2, 30])
def test_every_point_of_a_short_curve_is_marked(tmp_path, rounds):
    """A run of one pass has one; a marker is 6 points wide, a line 1.5."""
    rows = [f"{63 * i},{i},5.4" for i in range(1, rounds + 1)]
    (tmp_path / "metrics.csv").write_text("\n".join(["step,passes,loss", *rows]) + "\n")
    draw_curves(tmp_path / "metrics.csv", tmp_path)
    with Image.open(tmp_path / "metrics.png") as image:
        blue = (np.asarray(image.convert("RGB")) == (31, 119, 180)).all(-1)
    tall = blue.sum(0) > 5  # columns with a marker
    assert (np.diff(tall.astype(int)) == 1).sum() == (rounds if rounds < 10 else 0)
    if rounds == 1:
        assert tall.argmax() > 0.8 * blue.shape[1]  # the axis starts at step 0
