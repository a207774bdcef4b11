"""Messages."""

import pytest

from seqclr.errors import UserError


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\nb", r"a\nb"), ("\x1b[2J", r"\x1b[2J"), ("\udcff.png", r"\udcff.png"), ("a\u200bb", r"a\u200bb"),
     ("\u202egnp.x", r"\u202egnp.x"), ("日本 é", "日本 é")],
)  # fmt: skip
def test_what_cannot_be_seen_or_written_is_escaped(name, shown):
    assert str(UserError(f"{name} is gone")) == f"{shown} is gone"
