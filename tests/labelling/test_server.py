"""What the labelling page needs is checked before anything is written."""

import socket

import pytest

from seqclr import readers
from seqclr.errors import UserError
from seqclr.export.reader import load_reader
from seqclr.extras import MissingExtra
from seqclr.labelling import predictions, server
from seqclr.labelling.label import label
from tests.labelling.pictures import draw


def test_a_port_that_is_taken_is_refused(tmp_path):
    draw(tmp_path, 2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(UserError, match="choose another --port$"):
            label(tmp_path, tmp_path / "labels.csv", train=True, port=taken.getsockname()[1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "1.png"]


def test_training_needs_its_extra(tmp_path, monkeypatch):
    draw(tmp_path, 2)
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="seqclr.label needs tensorflow.* the extra 'train'"):
        label(tmp_path, tmp_path / "labels.csv", train=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "1.png"]


def test_a_reader_that_cannot_be_trained_further_is_refused_with_train(tmp_path, monkeypatch):
    (folder := tmp_path / "images").mkdir()
    draw(folder, 2)
    (export := tmp_path / "export").mkdir()
    for name in ("charset.json", "model.onnx", "reader.json"):
        (export / name).write_bytes((readers.folder_of("captcha") / name).read_bytes())
    with pytest.raises(UserError, match="cannot train .*export further: it is an export, so give the fine-tuning run"):
        label(folder, folder / "labels.csv", export, train=True)
    (export / "config.yaml").write_text("keep_head: 1\n")
    monkeypatch.setattr(predictions, "load_reader", lambda model: load_reader("captcha"))
    with pytest.raises(UserError, match="cannot train .*export further, as it has layers kept with keep_head"):
        label(folder, folder / "labels.csv", export, train=True)
    assert sorted(path.name for path in folder.iterdir()) == ["0.png", "1.png"]


def test_a_list_of_contradicted_labels_must_be_one(tmp_path):
    draw(tmp_path, 2)
    with pytest.raises(UserError, match="nowhere has no label_errors.csv: give the --output of `seqclr check --model`"):
        label(tmp_path, tmp_path / "labels.csv", errors="nowhere")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "1.png"]


def test_a_reader_that_was_trained_before_is_named(tmp_path, caplog):
    caplog.set_level("INFO", "seqclr")
    labels, folder = tmp_path / "labels.csv", tmp_path / "labels_training"
    server.name_trained(labels, "captcha")
    folder.mkdir()
    (folder / "round-0020.json").write_text('{"labels": 20, "failed": null}')
    (folder / "round-0050.json").write_text('{"labels": 50, "failed": "killed"}')
    server.name_trained(labels, str(folder / "round-0020"))
    assert not caplog.messages
    server.name_trained(labels, "captcha")
    assert f"--model {folder / 'round-0020'} shows its predictions" in caplog.messages[0]
