"""What is known of texts: parsed, and held against the reader."""

import numpy as np
import pytest

from seqclr.data.charset import Charset
from seqclr.data.knowledge import NOTHING, Known, Possible, read_lengths
from seqclr.errors import UserError


@pytest.mark.parametrize(
    "value, lengths",
    [
        (4, (4,)),
        (np.int64(4), (4,)),
        ("4", (4,)),
        ("4:6", (4, 5, 6)),
        ("6, 4", (4, 6)),
        ("4:5,8", (4, 5, 8)),
        ([6, "4:5", 4], (4, 5, 6)),
        (range(2, 5), (2, 3, 4)),
    ],
)
def test_a_length_is_a_number_a_range_or_a_list(value, lengths):
    assert read_lengths(value) == lengths


@pytest.mark.parametrize(
    "value", ["", "0", "6:4", "4:", ":4", "4-6", "four", -1, 4.0, True, [], [4, None], "4,", "1:9999"]
)
def test_another_length_is_refused(value):
    with pytest.raises(UserError, match="give a number, a range 4:6 or a list 4,6, of 1 to 2500 characters"):
        read_lengths(value)


def test_the_ids_and_lengths_of_a_reader():
    charset = Charset("abc1", case="lower")
    assert NOTHING.possible(charset, 64) == Possible()
    assert Known.of("CA", "2,16").possible(charset, 64) == Possible((0, 2), (2, 16))
    assert Known.of("C1").within(charset) == Charset("c1", "lower")
    assert NOTHING.within(charset) is charset


@pytest.mark.parametrize(
    "known, told",
    [
        (Known.of("aZ?"), "charset 'aZ\\?' has 'z', which the reader does not know: it knows abc"),
        (Known.of(None, 17), "length 17 needs 17 frames, of which width 62 gives 16: give at most 16"),
        (Known.of("a", "8:9"), "length 9 needs 17 frames, of which width 62 gives 16: give at most 8"),
    ],
)
def test_what_a_reader_cannot_predict_is_refused(known, told):
    with pytest.raises(UserError, match=told):
        known.possible(Charset("abc", case="lower"), 62)


@pytest.mark.parametrize("value, text", [(4, "4"), ("4:6", "4:6"), ("4,5", "4,5"), ("4,6,7", "4,6,7")])
def test_it_is_told_as_it_is_given(value, text):
    assert str(Known.of("ab", value)) == f"charset ab and length {text}"


def test_what_is_known_beyond_what_a_reader_knows():
    charset = Charset("abc12", "lower")
    made = Known.of("ab", 3)
    assert Known.of("BAA", 3).beyond(made, charset) == NOTHING
    assert Known.of(None, 3).beyond(Known.of(None, 3), charset) == NOTHING
    assert Known.of("2ABC1", "2:4").beyond(NOTHING, charset) == Known.of(None, "2:4")
    assert Known.of("a", 3).beyond(made, charset) == Known.of("a")
    assert Known.of("ab", 4).beyond(made, charset) == Known.of(None, 4)
