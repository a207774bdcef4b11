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


class Looking:
    """A probe that finds ever more in an encoder, of which it keeps the weights."""

    measures = ("found",)
    seen = ()

    def read(self, encoder, layer):
        self.seen = [*self.seen, floats(encoder)]
        return len(self.seen)

    def measure(self, found):
        return {"found": found}


def floats(encoder):
    return [v.numpy() for v in encoder.variables if "seed" not in v.path]


@pytest.mark.parametrize(("name", "copied", "probed"), [("dino", 1, 0), ("dino", 1, 1), ("byol", 0, 1)])
def test_a_run_keeps_the_encoder_that_its_paper_keeps(tmp_path, eagerly, name, copied, probed):
    """The teacher of DINO, the network that learns of BYOL: for probes, and for what starts from the run."""
    job = tiny.trainer(tmp_path / "run", name, steps=1, hidden_dim=16, projection_dim=16)
    rows = Looking()
    if probed:
        job.callbacks = [Probing(rows, job.method)]
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
