"""What a run writes into its checkpoints."""

import keras
import pytest

from seqclr.engine import checkpoints
from seqclr.errors import UserError
from tests.engine import tiny


def test_the_state_of_a_callback_that_is_damaged_is_named(tmp_path, eagerly):
    job = tiny.trainer(tmp_path / "run", "simclr", steps=1)
    job.fit()
    path = job.checkpoints.last
    arrays, state = checkpoints.load(path)

    class Counts(keras.callbacks.Callback):
        def set_state(self, state):
            self.count = state["count"]

    checkpoints.save(path, arrays, {**state, "callbacks": {"Counts": {}}})
    job.callbacks.append(Counts())
    with pytest.raises(UserError, match=r"step-00000001.npz is damaged .*its state of Counts: KeyError\('count'\)"):
        job.resume()


def test_accumulating_checkpoints_are_pruned(tmp_path, eagerly):
    tiny.trainer(tmp_path / "run", "simclr", steps=3, checkpoint_every=1).fit()
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert len(names) == 2 and names[-1] == "step-00000003.npz"
