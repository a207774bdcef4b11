"""The table of methods."""

from seqclr.methods import METHODS, table


def test_every_method_has_a_row():
    rows = table.table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(METHODS)


def test_a_row_says_what_the_docstring_says():
    row = next(row for row in table.table().splitlines() if "`moco`" in row)
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[1] == "[He et al. 2020](https://arxiv.org/abs/1911.05722)"
    assert cells[2:6] == ["two views", "keys of earlier batches", "yes", "a queue of keys"]
    assert "`queue_size=4096`" in cells[6] and "frames=" not in cells[6]


def test_a_paper_without_an_arxiv_number_is_named():
    assert table.paper(METHODS["denoising"]) == "Vincent et al. 2008"
    assert table.paper(METHODS["autoencoder"]) == "Hinton & Salakhutdinov 2006"
