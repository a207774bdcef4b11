"""The registry and the table of methods."""

import inspect
from dataclasses import dataclass
from pathlib import Path

import pytest

from seqclr.errors import UserError
from seqclr.methods import METHODS, register, registry, table
from seqclr.methods.contrastive.simclr import SimCLR
from seqclr.methods.momentum import MomentumMethod
from seqclr.methods.reconstruction.masked import StripReconstruction
from seqclr.methods.text.taught import TaughtCharacters

FAMILIES = {path.parent.name for path in (Path(registry.__file__).parent).glob("*/__init__.py")}


def test_every_method_has_a_row():
    rows = table.table().splitlines()[2:]
    assert sorted(row.split("`")[1] for row in rows) == sorted(METHODS)


def test_a_row_states_the_facts_of_the_registration():
    row = next(row for row in table.table().splitlines() if "`moco`" in row)
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[1:3] == ["contrastive", "[He et al. 2020](https://arxiv.org/abs/1911.05722)"]
    assert cells[3:7] == ["two views", "keys of earlier batches", "key encoder", "a queue of keys"]
    assert "`queue_size=4096`" in cells[7] and "frames=" not in cells[7]


def test_a_paper_without_an_arxiv_number_is_named():
    assert table.link(METHODS["denoising"].facts.paper) == "Vincent et al. 2008"


def test_the_facts_agree_with_the_classes():
    files = {path.stem for path in Path(registry.__file__).parent.glob("*/*.py")}
    assert {cls.facts.family for cls in METHODS.values()} == FAMILIES
    for name, cls in METHODS.items():
        assert cls.__module__.split(".")[-1] in files and not hasattr(cls, "repels")
        assert bool(cls.facts.ema_network) == issubclass(cls, MomentumMethod | TaughtCharacters), name
        assert " ".join((inspect.getdoc(cls) or "").split()).count(cls.facts.paper), name


def test_facts_that_are_not_given_are_inherited_except_the_paper(monkeypatch):
    monkeypatch.setattr(registry, "METHODS", dict(METHODS))

    @register("both", stores="nothing")
    @dataclass
    class Both(StripReconstruction, SimCLR):
        """Both."""

    facts = Both.facts
    assert (facts.paper, facts.stores, facts.negatives) == ("", "nothing", SimCLR.facts.negatives)
    assert facts.needs_lines == StripReconstruction.facts.needs_lines and facts.needs_whole_batch
    assert facts.family == "contrastive" and "both" not in METHODS and "both" in table.table()


@pytest.mark.parametrize("name", [3, None, "", SimCLR])
def test_a_name_that_is_not_a_text_is_refused(name):
    with pytest.raises(UserError, match=r'is not a name of a method: write @seqclr.register\("name"\)'):
        register(name)


@pytest.mark.parametrize("value", [3, dict, len, "simclr"])
def test_only_subclasses_of_method_are_registered(value):
    before = dict(METHODS)
    with pytest.raises(UserError, match="method 'mine': .* is not a subclass of seqclr.methods.base.Method"):
        register("mine")(value)
    assert METHODS == before


def test_facts_that_are_not_texts_are_refused():
    with pytest.raises(UserError, match="method 'mine': negatives 3 is not a text"):
        register("mine", negatives=3)
