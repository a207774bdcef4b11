"""The benchmark of methods: none is left out, the keys of each part exist, and no cell of its tables is empty."""

from pathlib import Path

import methods as benchmark
import pretext
import pytest
import yaml

from seqclr.config import PretrainConfig, resolve
from seqclr.engine import setup
from seqclr.methods import METHODS, find_method

DOCUMENTED = yaml.safe_load((Path(__file__).parents[1] / "docs" / "methods.yaml").read_text(encoding="utf-8"))
SUITED = [(name, what) for name in benchmark.ALL for what in benchmark.PARTS if benchmark.why_not(name, what) is None]
RESULT = {"images_per_second": 90.0, "memory_mib": 900, "warnings": [], "seconds": 3600.0}


@pytest.mark.parametrize("name", [*DOCUMENTED, *benchmark.TOGETHER])
def test_every_method_is_measured_where_it_applies(name):
    if name in pretext.TASKS:
        assert name in METHODS and name not in benchmark.ALL
        return
    cells = {what: benchmark.why_not(name, what) for what in benchmark.PARTS}
    assert name in benchmark.ALL and None in cells.values(), cells
    assert (cells["images"] == "lines only") == bool(find_method(name).facts.needs_lines)


@pytest.mark.parametrize(("name", "what"), SUITED)
def test_the_keys_of_a_part_suit_the_method(name, what):
    config = resolve(PretrainConfig, find_method(name), [{"method": name}, benchmark.keys_on(name, what)])
    setup.check(config, find_method(name))
    assert (config.split == "train") == (name in ("clip", "classifier"))
    if what == "lines" and hasattr(config, "correspondence"):
        assert config.correspondence == "index"


@pytest.fixture
def measured(monkeypatch):
    """The pretrainings that would have been run, with invented results."""
    ran = []
    monkeypatch.setattr(benchmark, "pretrained", lambda name, run, *_: ran.append((name, run.name)) or dict(RESULT))
    monkeypatch.setattr(benchmark, "probe", lambda *_: 0.5)
    monkeypatch.setattr(benchmark.moving_digits, "make", lambda data, folder, count: folder.mkdir())
    return ran


def test_no_cell_of_a_table_is_empty_and_no_part_is_run_twice(tmp_path, measured, capsys):
    runs = benchmark.Benchmark(tmp_path / "data", tmp_path / "out", benchmark.ALL, 10)
    *_, rows = runs.rows()
    assert measured == [("simclr" if name == "none" else name, what.replace(" ", "_")) for name, what in runs.parts]
    count = len(runs.parts)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"none on images, seed 0: 1 of {count} parts, about ")
    assert last.endswith(f"{count} of {count} parts, about 0.0 h left for all seeds")
    text = benchmark.tables(rows, {})
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line]
    assert all(cell for row in cells for cell in row) and "| `clip` * | 0.500 | 0.500 | 90 | 900 | - |" in text
    named = {row[0].strip("`* ") for row in cells}
    assert set(benchmark.ALL) <= named
    assert list(runs.rows())[-1] == rows and len(measured) == count


def test_what_takes_less_than_an_hour_has_more_seeds(tmp_path, measured, monkeypatch):
    clock = iter([0, 100, 100, 4000])  # seconds at start and end: the second part takes more than an hour
    with monkeypatch.context() as patched:
        patched.setattr(benchmark.time, "perf_counter", lambda: next(clock, 9000))
        *_, rows = benchmark.Benchmark(tmp_path, tmp_path / "out", ["ccd"], 10, seeds=3).rows()
    assert [len(rows[name]["lines"]) for name in ("none", "ccd")] == [3, 1]
    assert [run for _, run in measured] == ["lines", "lines", "lines_1", "lines_2"]
    assert "| random weights | 0.500 ± 0.000 |" in benchmark.tables(rows, {})


def test_an_estimate_counts_the_start_and_the_steps_of_every_part(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark.Benchmark, "timed", lambda self, name, what: (20.0, 0.5))
    runs = benchmark.Benchmark(tmp_path, tmp_path / "out", ["simclr", "ccd"], 80)
    assert runs.estimate() == pytest.approx(4 * 60 / 3600)  # simclr on images and twice on lines, ccd on lines
    assert "ccd on lines: start 20.0 s, a step 0.500 s" in capsys.readouterr().out
