"""An export is replaced as a whole, and the old one stays."""

from pathlib import Path

import pytest

from seqclr.data.charset import Charset
from seqclr.data.knowledge import Known
from seqclr.errors import UserError
from seqclr.export import replace as replacing
from seqclr.export.replace import replace
from seqclr.runtime.folder import Facts, load


def write(folder: Path, content: bytes, given: tuple[int, ...] | None = None) -> Path:
    """The files of an export of digits of length 4. given: the lengths that a user gave."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes(content)
    Charset("0123456789").save(folder / "charset.json")
    facts = Facts("onnx", 32, 128, "stretch", True, "0123456789", (4,), answer="sum", given=given)
    facts.save(folder, ["charset.json", "model.onnx"])
    return folder


@pytest.mark.parametrize("given", [(4,), None])
def test_the_new_export_is_like_the_old_one(tmp_path, monkeypatch, given):
    """But for lengths that were those of the old run."""

    def export(run, folder, form, int8, known, answer):
        assert (run, form, int8, known, answer) == ("run", "onnx", True, Known("0123456789", given), "sum")
        assert (target / "model.onnx").read_bytes()  # it is served until the new one is complete
        write(folder, b"new", given)

    target = write(tmp_path / "export", b"old", given)
    write(tmp_path / "export.new", b"of the user")
    write(tmp_path / ".export.new", b"of an interrupted attempt")
    monkeypatch.setattr(replacing, "export", export)
    assert replace("run", target) == tmp_path / "export.old-1"
    assert replace("run", target) == tmp_path / "export.old-2"
    contents = {path.name: (path / "model.onnx").read_bytes() for path in tmp_path.iterdir()}
    of_user = {"export.new": b"of the user"}
    assert contents == {"export": b"new", "export.old-1": b"old", "export.old-2": b"new", **of_user}
    assert load(target)[0].length == (4,)


def test_an_export_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    def export(*_, **__):
        raise UserError("the export predicts other texts")

    target = write(tmp_path / "export", b"old")
    monkeypatch.setattr(replacing, "export", export)
    with pytest.raises(UserError, match="other texts"):
        replace("run", target)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
    with pytest.raises(UserError, match="not an export"):
        replace("run", tmp_path)
