"""Refused texts are found by the image, in the folders that the server writes."""

from types import SimpleNamespace

import pytest

from seqclr.data.charset import Charset
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.recognition.refused import refused_texts


def test_texts_are_those_of_the_images(tmp_path):
    (tmp_path / "refused").mkdir()
    for number in range(5):
        (tmp_path / "refused" / f"{number}.png").touch()
    rows = ["refused/0.png,Ab", "refused/1.png,ax", "refused/2.png,aaaa", "refused/3.png,", "refused/gone.png,a"]
    (tmp_path / "refused.csv").write_text("\n".join(["file,text", *rows, ""]))
    samples = [Sample("site", f"{tmp_path}/./refused/{number}.png") for number in (4, 3, 2, 1, 0)]
    dataset = SimpleNamespace(samples=samples, filled=lambda: [16] * 5)  # 4 frames
    found = refused_texts(["elsewhere", str(tmp_path)], dataset, Charset("ab", case="lower"))
    assert found == ["", "", "", "", "ab"]  # x is not known, and aaaa takes 7 frames
    (tmp_path / "refused.csv").write_text("file,text\nrefused/0.png\n")
    with pytest.raises(UserError, match="line 2 ends before its 'text'"):
        refused_texts([str(tmp_path)], dataset, Charset("ab"))
    assert refused_texts(["elsewhere"], dataset, Charset("ab")) == [""] * 5
