"""The list of contradicted labels finds its images again, and a list of others is refused."""

import pytest

from seqclr.curation.contradictions import TABLE, Contradiction, read, write
from seqclr.data.samples import Sample
from seqclr.errors import UserError

ROWS = [
    Contradiction(file, "1", "2", "0.9", "3.5", "yes") for file in ("set/b.png", "gone.png", "pack/0:a", "set/a.png")
]
SAMPLES = [Sample("set", "set/a.png", "1"), Sample("pack", "a", "1", store="pack/0"), Sample("set", "./set/b.png", "1")]


def test_images_are_found_by_name_and_by_place(tmp_path):
    write(ROWS, tmp_path)
    found = read(tmp_path, SAMPLES)
    assert found.rows == {2: ROWS[0], 1: ROWS[2], 0: ROWS[3]} and list(found.rows) == [2, 1, 0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file,text\na.png,1\n", "other columns"),
        (",".join(Contradiction._fields) + "\nset/a.png,1,2,high,3,yes\n", "line 2 is damaged"),
        (",".join(Contradiction._fields) + "\nset/a.png,1,2,nan,3,yes\n", "line 2 is damaged"),
        (",".join(Contradiction._fields) + "\nset/a.png,1\n", "line 2 is damaged"),
        (",".join(Contradiction._fields) + f"\nset/a.png,{'1' * 200_000},2,0.9,3,yes\n", "line 2 is damaged"),
        (",".join(Contradiction._fields) + '\nset/a.png,"1,2,0.9,3,yes\n', "line 2 is damaged"),
        (",".join(Contradiction._fields) + "\nother.png,1,2,0.9,3,yes\n", "lists none of the images"),
    ],
)
def test_other_lists_are_refused(tmp_path, text, told):
    (tmp_path / TABLE).write_text(text)
    with pytest.raises(UserError, match=told):
        read(tmp_path, SAMPLES)
