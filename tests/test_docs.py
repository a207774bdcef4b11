"""README and docs: what can be checked without building the site."""

import re
from pathlib import Path

import pytest
import yaml

from seqclr.cli import VERBS
from seqclr.methods import METHODS

ROOT = Path(__file__).parents[1]


def test_readme_fits_on_a_few_screens():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150 and max(len(line) for line in lines if not line.startswith("|")) <= 120


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_to_files(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if not link.startswith("https://")]
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize(("file", "table"), [("methods.yaml", METHODS), ("verbs.yaml", VERBS)])
def test_every_page_that_is_generated_has_its_words(file, table):
    entries = yaml.safe_load((ROOT / "docs" / file).read_text(encoding="utf-8"))
    inside = {name for name, each in table.items() if each.__module__.startswith("seqclr.")}  # no test's own method
    assert set(entries) == inside
    assert all(text for entry in entries.values() for text in entry.values())
