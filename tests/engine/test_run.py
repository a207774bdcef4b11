"""A run's folder."""

import multiprocessing
import os

import numpy as np
import pytest

from seqclr.engine import setup
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.probes.probing import Probing
from tests.engine import tiny


def test_what_was_left_half_written_is_in_nobodys_way(tmp_path):
    (tmp_path / "config.partial").write_text("data: [pa")
    run = Run.check_free(tmp_path)
    run.create(tiny.config("simclr"))
    (run.checkpoints / "step-00000001.partial").write_bytes(b"PK")
    with pytest.raises(UserError, match="exists already"):
        Run.check_free(tmp_path)
    run.create(tiny.config("simclr", steps=2))
    assert {path.name for path in tmp_path.rglob("*")} == {"config.yaml", "checkpoints", "plots"}
    assert run.config().steps == 2


@pytest.mark.parametrize("name", ["config.yaml", "charset.json", "metrics.csv", ".lock", "checkpoints/best.npz"])
def test_a_folder_in_place_of_a_file_is_named(tmp_path, name):
    Run(tmp_path).create(tiny.config("simclr"))
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=f"{name} is a folder where a run has a file: move it out of the run"):
        Run.open(tmp_path)


@pytest.mark.parametrize("name", ["checkpoints", "plots", "profile", "tensorboard"])
def test_a_file_in_place_of_a_folder_is_named(tmp_path, name):
    (tmp_path / "config.yaml").touch()
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"{name} is a file where a run has a folder"):
        Run.open(tmp_path)


def test_what_is_no_run_is_named_with_what_to_give(tmp_path):
    run, export = tmp_path / "run", tmp_path / "export"
    Run(run).create(tiny.config("simclr"))
    (run / "checkpoints" / "best.npz").touch()
    export.mkdir()
    (export / "saved_model.pb").touch()
    for path, told in (
        (export, "is an export, so give the fine-tuning run"),
        (run / "checkpoints", f"is inside a run, so give {run}"),
        (run / "checkpoints" / "best.npz", f"is inside a run, so give {run}"),
        (export / "saved_model.pb", "it is a file"),
        (tmp_path, "it has no config.yaml"),
        (run / "nothing", "there is no such folder"),
    ):
        with pytest.raises(UserError, match=f"{path} is not a run: .*{told}"):
            Run.open(path)


def test_a_saved_configuration_has_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run("run")
    run.create(tiny.config("simclr", data=["pages", "/other"], init="first", views="my.yaml"))
    saved = run.config()
    assert saved.data == [str(tmp_path / "pages"), "/other"] and saved.init == str(tmp_path / "first")
    assert saved.views == str(tmp_path / "my.yaml") and saved.probe is None
    setup.check_resumable(run, tiny.config("simclr", data=["moved"], views="my.yaml"))
    with pytest.raises(UserError, match="views .*other.yaml: run was started with .*my.yaml"):
        setup.check_resumable(run, tiny.config("simclr", views="other.yaml"))


class Looking:
    """A probe whose metric rises with every evaluation; it keeps the weights of the encoder each time."""

    metrics = ("found",)
    seen = ()

    def predict(self, encoder, layer):
        self.seen = [*self.seen, floats(encoder)]
        return len(self.seen)

    def evaluate(self, found):
        return {"found": found}


def floats(encoder):
    return [v.numpy() for v in encoder.variables if "seed" not in v.path]


@pytest.mark.parametrize(("name", "copied", "probed"), [("dino", 1, 0), ("dino", 1, 1), ("byol", 0, 1)])
def test_a_run_keeps_the_encoder_that_its_paper_keeps(tmp_path, eagerly, name, copied, probed):
    """The teacher of DINO, the network that learns of BYOL: for probes, and for what starts from the run."""
    job = tiny.trainer(tmp_path / "run", name, steps=1, hidden_dim=16, projection_dim=16)
    rows = Looking()
    if probed:
        job.callbacks[:] = [Probing(rows, job.method)]
        job.callbacks[0].trainer = job
    job.fit()
    copies, weights = zip(*((c.numpy(), v.numpy()) for c, v in job.method.target.pairs()))
    assert any((a != b).any() for a, b in zip(copies, weights))
    kept = setup.make_encoder(job.config, tmp_path / "run")
    for found in [floats(kept), *rows.seen[-1:]]:
        for a, b in zip(found, copies if copied else weights):
            np.testing.assert_array_equal(a, b)
    assert (job.run.checkpoints / "best.npz").is_file() == probed


def claims(folder, new, connection):
    """In a process of its own: claims a run, says so, waits to be told and ends without letting go."""
    run = Run(folder)
    run.claim(new)
    connection.send("claimed")
    connection.recv()
    os._exit(0)


@pytest.mark.parametrize("new", [True, False])
def test_of_two_that_would_write_the_second_is_refused_until_the_first_is_gone(tmp_path, new):
    folder = tmp_path / "run"
    if not new:
        Run(folder).create(tiny.config("simclr"))
    before = sorted(tmp_path.rglob("*"))
    ours, theirs = multiprocessing.Pipe()
    other = multiprocessing.get_context("fork").Process(target=claims, args=(folder, new, theirs))
    other.start()
    ours.recv()
    for attempt in (lambda: Run(folder).claim(new), Run(folder).check_unclaimed):
        with pytest.raises(UserError, match="run is being written by another process: wait for its end, or stop it"):
            attempt()
    ours.send("end")
    other.join()
    run = Run(folder).check_unclaimed()
    run.claim(new)
    run.release()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_another_made_in_the_meantime_is_refused_and_left(tmp_path):
    first, second = Run.check_free(tmp_path / "run"), Run.check_free(tmp_path / "run")
    first.claim(new=True)
    first.create(tiny.config("simclr"))
    first.release()
    with pytest.raises(UserError, match="exists already"):
        second.claim(new=True)
    second.discard()
    second.release()
    assert {path.name for path in first.folder.iterdir()} == {"config.yaml", "checkpoints", "plots"}
