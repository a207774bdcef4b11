"""What is settled before a training's first step."""

import pytest
import tensorflow as tf

from seqclr import memory
from seqclr.config import PretrainConfig, fields_of, resolve
from seqclr.data import images
from seqclr.engine import setup
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.methods import Facts, find_method
from tests.engine import tiny


def test_the_limits_of_files_are_keys():
    method = find_method("simclr")
    values = {"max_bytes": 5, "max_pixels": "6", "max_frames": 7}
    setup.check(resolve(PretrainConfig, method, [values]), method)
    assert images.get_limits() == images.Limits(5, 6, 7)
    setup.check(resolve(PretrainConfig, method), method)
    assert images.get_limits() == images.Limits()


def test_a_run_that_is_older_than_a_key_says_what_it_goes_on_with(tmp_path, caplog):
    """The value of a key that it has may not change; the other can be set to what was done before there was a key."""
    run, method = Run(tmp_path / "run"), find_method("simclr_v2")
    run.create(resolve(PretrainConfig, method))
    saved = run.config_file.read_text().splitlines(keepends=True)
    run.config_file.write_text("".join(line for line in saved if not line.startswith("output_norm")))
    setup.check_resumable(run, resolve(PretrainConfig, method))
    assert caplog.messages == [f"{run.folder} is older than output_norm=True"]
    setup.check_resumable(run, resolve(PretrainConfig, method, [{"output_norm": False, "steps": 9}]))
    with pytest.raises(UserError, match="hidden_dim 9: .* was started with 256, and --resume needs the same"):
        setup.check_resumable(run, resolve(PretrainConfig, method, [{"hidden_dim": 9}]))


@pytest.mark.parametrize(
    "name, values, message",
    [
        ("simclr", {"batch_size": 10**6}, "batch_size 1000000 of 32x128 takes at least 762.9 GiB"),
        ("simclr", {"width": 10_000, "batch_size": 4}, "batch_size 4 of 32x10000, whose 2500 frames attend"),
        ("generated", {"generated_images": 100}, "batch_size 64 of 32x128 and generated_images 100 takes"),
        ("simclr", {"steps_per_execution": 10**4, "batch_size": 10}, "of steps_per_execution 10000, takes"),
        ("simclr", {"processes": 100}, "processes 100 takes at least 12.5 GiB of memory, and this machine has 1.0"),
        ("simclr", {"accumulate": 7}, "batch_size 64 does not divide among 1 device.s. and 7 parts"),
    ],
)  # fmt: skip
def test_a_batch_that_the_machine_cannot_hold_is_refused_with_both_figures(monkeypatch, name, values, message):
    monkeypatch.setattr("seqclr.memory.total", lambda: 2**30)
    method = find_method(name)
    monkeypatch.setattr(method, "facts", Facts())
    with pytest.raises(UserError, match=message):
        setup.check(resolve(PretrainConfig, method, [values]), method)
    setup.check(resolve(PretrainConfig, method), method)


def test_a_network_that_the_machine_cannot_hold_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr("seqclr.memory.total", lambda: 2**30)
    made = []
    for name, values, message in (
        (
            "barlow_twins",
            {"projection_dim": 20_000},
            "network with projection_dim 20000 takes at least 6.0 .* has 1.0:",
        ),
        ("moco", {"queue_size": 64 * 10**6}, "queue_size 64000000 and projection_dim 128 takes at least 30"),
    ):
        cls = find_method(name)
        config = resolve(PretrainConfig, cls, [tiny.COMMON, values])
        method = cls(**fields_of(cls, config))
        with pytest.raises(UserError, match=message), setup.building(config, tf.distribute.get_strategy()):
            method.build(setup.make_encoder(config, None))
        made.append(method)
    assert not hasattr(made[1], "queue")


def test_weights_are_the_same_whether_they_are_counted_or_not():
    config, weights = resolve(PretrainConfig, find_method("simclr"), [tiny.COMMON]), []
    for counted in (True, False):
        strategy = setup.begin(config)
        with setup.building(config, strategy) if counted else strategy.scope():
            weights.append(setup.make_encoder(config, None).get_weights())
    assert all((a == b).all() for a, b in zip(*weights, strict=True))


def test_the_memory_of_a_container_counts(tmp_path, monkeypatch):
    whole = memory.total()
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "limit").write_text("1048576\n")
    monkeypatch.setattr(memory, "GROUPS", (str(tmp_path / "none"), str(tmp_path / "max")))
    assert memory.total() >= whole > 2**28
    monkeypatch.setattr(memory, "GROUPS", (str(tmp_path / "limit"),))
    assert memory.total() == 2**20
