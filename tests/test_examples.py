"""The examples and the quickstart run as they are."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqclr.cli import VERBS, main

ROOT = Path(__file__).parents[1]
EXAMPLES = [ROOT / "examples" / f"{name}.py" for name in ("adapt_api", "own_method", "quickstart_api")]


@pytest.mark.slow
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_runs(tmp_path, file):
    environment = {**os.environ, "PYTHONPATH": str(file.parents[1])}
    command = [sys.executable, file, "--steps", "3"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(("adapted: runs/", "pretrained: runs/")) and list(tmp_path.glob("runs/*/config.yaml"))


def test_every_example_is_tested():
    logins = {file.name for file in (ROOT / "examples").glob("login*.py")}  # tests/deployment
    assert {file.name for file in (ROOT / "examples").iterdir() if file.suffix} == logins | {e.name for e in EXAMPLES}


def test_the_quickstart_runs_verbs_that_exist(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("quickstart", ROOT / "tools/quickstart.py")
    quickstart = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(quickstart)
    assert quickstart.main is main
    commands = []

    def fake(words):
        commands.append(words[0])
        if words[0] == "evaluate":
            scores = {"edit_distance_accuracy": 0.5, "exact_match": 0.25}
            Path(words[words.index("--json") + 1]).write_text(json.dumps(scores))
        return 0

    monkeypatch.setattr(quickstart, "main", fake)
    quickstart.quickstart(tmp_path / "run")
    assert set(commands) <= VERBS.keys() and {"adapt", "pretrain", "export", "predict"} <= set(commands)
    assert "adapted, 20 labels" in capsys.readouterr().out
