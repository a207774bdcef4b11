"""Hashes decide for each image alone, and the same everywhere."""

import pytest

from seqclr.data.hashes import content_digest, uniform
from seqclr.data.samples import Sample


def test_the_number_of_a_name_never_changes_and_shares_are_kept():
    assert uniform("images/1.png") == pytest.approx(0.432405, abs=1e-6)
    assert uniform("\udcff.png") != uniform("\udcfe.png")  # names that are not UTF-8
    assert 0.18 < sum(uniform(f"images/{number}.png") < 0.2 for number in range(5000)) / 5000 < 0.22


def test_the_digest_is_that_of_the_content(tmp_path):
    for name, data in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(data)
    a, b, c = (content_digest(Sample("", str(tmp_path / name))) for name in "abc")
    assert a == b != c and 0 <= a < 2**63
