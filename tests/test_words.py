"""Help texts, public names, docstrings, README and docs use the terms of the field, not the project's former ones."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from seqclr.cli import VERBS
from seqclr.cli.arguments import Parser
from seqclr.config import AdaptConfig, EvolveConfig, FinetuneConfig
from seqclr.methods import METHODS
from seqclr.methods.text.adaptation import Adaptation

ROOT = Path(__file__).parents[1]
FORMER = re.compile(
    r"""
    \b(
    pages? | places? | recipes? | repels? | opponents? | critics? | fitted | entry | entries | spared | wings? | heap |
    cured? | cures | learnt | told | pictures? | momentum\ copy | of\ what\ is\ compared | what\ was\ read |
    what\ the\ copy\ keeps | match=(place|geometry) | negatives=place
    )(?!\w)
    """,
    re.VERBOSE | re.IGNORECASE,
)
FORMER_NAMES = {"shows", "answers", "whole", "noted", "few", "seen", "reads"}  # names only: fine in sentences
ALLOWED = re.compile(
    r"""
    pages\ of\ a\ TIFF | \bin[ _]place\b | \bone\ entry | \bAn\ entry\ in |
    \b(web|labelling)\ pages? |  # served over HTTP
    \b(this|one|its|these|method's|hand-written)\ pages? | \bthe\ page\ of\ (each|every|the) |  # documentation
    \bpictures/  # a folder of the documentation
    """,
    re.VERBOSE | re.IGNORECASE,
)
TEXTS = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "data_samples/README.md")),
        *(ROOT / "docs").glob("**/*.md"),
        *(ROOT / "docs").glob("*.yaml"),
        *(ROOT / "configs").glob("*.yaml"),
    ]
)


def former(text: str) -> list[str]:
    """The former words in a text, each with what stands around it."""
    flat = ALLOWED.sub("...", " ".join(text.split()))
    return [flat[max(0, found.start() - 30) : found.end() + 30] for found in FORMER.finditer(flat)]


def test_a_former_word_is_found_and_an_allowed_phrase_is_not():
    assert former("Told its place, a\npage") and former("match=place") and former("size of what\nis compared")
    assert not former("pages of a TIFF, in place of a replacement; a website's homepage")


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_documentation(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    own = "CONTRIBUTING.md"  # its table shows former wording beside the present one
    text = "\n".join(line for line in lines if not (file.name == own and line.startswith("| `")))
    assert not former(text)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_verbs(verb, capsys):
    required = {"pretrain": ["--data", "x"], "finetune": ["--data", "x"]}.get(verb, [])
    with pytest.raises(SystemExit):
        VERBS[verb](Parser(prog=f"seqclr {verb}", description=VERBS[verb].__doc__), [*required, "--help"])
    text = capsys.readouterr().out
    assert "usage:" in text and not former(text)


def test_help_of_keys_and_facts_of_methods():
    found = []
    for cls in (EvolveConfig, FinetuneConfig, AdaptConfig, Adaptation, *METHODS.values()):
        if not cls.__module__.startswith("seqclr."):
            continue  # a test's own method
        help = [field.metadata.get("help", "") for field in dataclasses.fields(cls)]
        facts = [str(value) for value in dataclasses.asdict(cls.facts).values()] if hasattr(cls, "facts") else []
        names = [field.name.replace("_", " ") for field in dataclasses.fields(cls)]
        found += [(cls.__name__, hit) for text in [*help, *facts, *names] for hit in former(text)]
    assert not found


def test_public_names_and_docstrings():
    found = []
    for file in sorted((ROOT / "seqclr").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for name, docstring in [(file.stem, ast.get_docstring(tree)), *described(tree)]:
            words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)]
            hits = [name] if name in FORMER_NAMES or former(" ".join(words)) else []
            found += [(str(file.relative_to(ROOT)), hit) for hit in [*hits, *former(docstring or "")]]
    assert not found


def described(node: ast.AST):
    """The public classes and functions within a node, each with its docstring."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            if not child.name.startswith("_"):
                yield child.name, ast.get_docstring(child)
                yield from described(child)
        else:
            yield from described(child)
