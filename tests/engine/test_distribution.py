"""Several workers: who is who, and two processes over loopback that do what one does."""

import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from seqclr.cli import local_workers
from seqclr.cli.local_workers import launch, wait
from seqclr.engine.distribution import Rank, find_rank
from seqclr.errors import UserError
from tests.small_runs import run

KEYS = ["--processes", "0", "--precision", "float32", "--batch-size", "8", "height=16", "width=64", "optimizer=sgd",
        "dropout=0", "learning_rate=0.01"]  # fmt: skip


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "")


def test_positions():
    assert find_rank(None, 0) == Rank(0, 1)
    assert find_rank("a:1,b:2,c:3", 2) == Rank(2, 3)
    assert json.loads(os.environ["TF_CONFIG"])["task"] == {"type": "worker", "index": 2}
    assert find_rank("a:1,b:2", 0).chief and not find_rank("a:1,b:2", 1).chief


def test_tf_config_may_name_a_chief(monkeypatch):
    for kind, index, rank in (("chief", 0, Rank(0, 3)), ("worker", 1, Rank(2, 3))):
        config = {"cluster": {"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "task": {"type": kind, "index": index}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(config))
        assert find_rank(None, 0) == rank


@pytest.mark.parametrize(
    ("workers", "worker", "message"),
    [
        ("a,b:1", 0, "'a' is not host:port"),
        ("a:1,a:1", 0, "names one twice"),
        ("a:1,b:1", 2, "worker 2: 0 to 1"),
        ("a:1", 7, "worker 7: 0 to 0"),
        (None, 7, "worker 7: give workers too, the list"),
        ("a:99999", 0, "'a:99999' is not host:port, .* with a port of 1 to 65535"),
        ("a:0,b:1", 0, "'a:0' is not host:port"),
        ("a:\u0661", 0, "is not host:port"),
        ("", 0, "'' is not host:port"),
    ],
)
def test_a_list_that_is_none_is_refused(workers, worker, message):
    with pytest.raises(UserError, match=message):
        find_rank(workers, worker)


def test_a_broken_tf_config_is_refused(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1"]}}')
    with pytest.raises(UserError, match="TF_CONFIG cannot be read"):
        find_rank(None, 0)


def test_a_worker_stops_when_its_launcher_is_gone(tmp_path):
    """And with it the pipe to its stdin."""
    words = ["synth", "--output", str(tmp_path / "pages"), "--count", "100000"]
    command = [sys.executable, "-m", "seqclr.cli.worker", *words]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "pages" / "images").exists():
        assert worker.poll() is None
        time.sleep(0.1)
    message = worker.communicate(timeout=60)[1]
    assert (
        worker.returncode == 143 and message.endswith("seqclr synth: stopped by SIGTERM\n") and "Trace" not in message
    )


def test_a_system_without_sigkill_and_without_signals_to_others(monkeypatch):
    """Windows, where Ctrl-C reaches the workers without the launcher."""
    monkeypatch.setattr(local_workers, "signal", SimpleNamespace(signal=signal.signal))
    assert launch(1, ["pretrain", "--no-such-option"]) == 2
    monkeypatch.setattr(local_workers, "sys", SimpleNamespace(platform="win32"))
    worker = SimpleNamespace(poll=iter([None, 0]).__next__, returncode=0)
    assert wait([worker], [signal.SIGINT]) == 0


def test_only_what_trains_is_launched():
    with pytest.raises(UserError, match="a training verb"):
        launch(2, ["evaluate"])


def command(verb, pages, output, *words):
    return [verb, "--data", str(pages), "--output", str(output), *KEYS, *words]


def seqclr(*words, **keys):
    return subprocess.Popen([sys.executable, "-m", "seqclr", *words], stderr=subprocess.PIPE, text=True, **keys)


def weights(run):
    with np.load(sorted((run / "checkpoints").glob("step-*.npz"))[-1]) as archive:
        arrays = {name: archive[name] for name in archive.files if archive[name].dtype == np.float32}
    for name in arrays:
        if name.startswith("queue/"):  # the keys of a batch are in the order of the workers
            arrays[name] = arrays[name][arrays[name][:, 0].argsort()]
    return arrays


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["pretrain", "--method=simclr"], marks=pytest.mark.slow),
        pytest.param(["pretrain", "--method=simsiam"], marks=pytest.mark.slow),
        pytest.param(["pretrain", "--method=moco_v2", "queue_size=1024"], marks=pytest.mark.slow),
        pytest.param(["finetune"], marks=pytest.mark.slow),
    ],
)
def test_two_workers_are_one_with_the_whole_batch(words, pages, tmp_path, eagerly):
    verb, *more = words
    both = seqclr("launch", "--local", "2", "--", *command(verb, pages, tmp_path / "two", *more, "--steps=3"))
    run(*command(verb, pages, tmp_path / "one", *more, "--steps=3"))
    message = both.communicate(timeout=300)[1]
    assert both.returncode == 0, message
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_workers_stop_together_and_a_dead_one_ends_the_others(pages, tmp_path):
    """SIGTERM saves and is no failure; resumed with two, one of whom is killed, the other says so within a minute."""
    words = command("pretrain", pages, tmp_path / "run", "--steps=100000", "--checkpoint-every=20")
    process = seqclr("launch", "--local", "2", "--", *words)
    wait_for(tmp_path / "run/checkpoints", process)
    process.send_signal(signal.SIGTERM)
    assert "run the same command with --resume" in process.communicate(timeout=120)[1] and process.returncode == 0
    saved = sorted((tmp_path / "run/checkpoints").glob("step-*.npz"))[-1]

    ports = "localhost:42345,localhost:42346"
    chief, other = (seqclr(*words, "--resume", "--workers", ports, "--worker", str(i)) for i in range(2))
    deadline = time.monotonic() + 180
    while not any(path > saved for path in saved.parent.glob("step-*.npz")):
        assert time.monotonic() < deadline and chief.poll() is None
        time.sleep(0.2)
    other.kill()
    message = chief.communicate(timeout=90)[1]
    assert chief.returncode == 1 and "another worker is gone" in message and "--resume" in message
    other.communicate()


def wait_for(folder, process):
    deadline = time.monotonic() + 180
    while not list(folder.glob("step-*.npz")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.2)
