"""What is settled before a training's first step."""

import pytest

from seqclr.config import PretrainConfig, resolve
from seqclr.data import images
from seqclr.engine import setup
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.methods import find_method


def test_the_limits_of_files_are_keys():
    method = find_method("simclr")
    values = {"max_bytes": 5, "max_pixels": "6", "max_frames": 7}
    setup.check(resolve(PretrainConfig, method, [values]), method)
    assert images.get_limits() == images.Limits(5, 6, 7)
    setup.check(resolve(PretrainConfig, method), method)
    assert images.get_limits() == images.Limits()


def test_a_run_that_is_older_than_a_key_says_what_it_goes_on_with(tmp_path, capsys):
    """The value of a key that it has may not change; the other can be set to what was done before there was a key."""
    run, method = Run(tmp_path / "run"), find_method("simclr_v2")
    run.create(resolve(PretrainConfig, method))
    saved = run.config_file.read_text().splitlines(keepends=True)
    run.config_file.write_text("".join(line for line in saved if not line.startswith("output_norm")))
    setup.check_resumable(run, resolve(PretrainConfig, method))
    assert capsys.readouterr().err == f"{run.folder} is older than output_norm=True\n"
    setup.check_resumable(run, resolve(PretrainConfig, method, [{"output_norm": False, "steps": 9}]))
    with pytest.raises(UserError, match="hidden_dim 9: .* was begun with 256, and --resume goes on with the same"):
        setup.check_resumable(run, resolve(PretrainConfig, method, [{"hidden_dim": 9}]))
