"""A run's folder."""

import pytest

from seqclr.engine.run import Run
from seqclr.errors import UserError
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
