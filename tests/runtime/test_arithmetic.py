"""Readers of sums, and exports that give the answers."""

import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from starlette.testclient import TestClient

import seqclr
from seqclr import cli, readers
from seqclr.errors import UserError
from seqclr.runtime.arithmetic import answering
from seqclr.runtime.folder import load
from seqclr.serve.app import application
from seqclr.serve.options import Options
from seqclr.serve.server import load_service
from seqclr.synthesis.drawing import draw
from seqclr.synthesis.styles import load_style

CAPTCHA = readers.FOLDER / "captcha"


def test_a_reader_of_sums_is_sure_of_no_empty_answer():
    class Fixed:
        charset, threshold, lengths = None, 0.7, (5,)

        def predict_samples(self, samples, beam=1):
            return iter([("3+4=?", 0.9), ("3+4=7", 0.8)])

    assert list(answering(Fixed(), "sum").predict_samples([], beam=2)) == [("7", 0.9), ("", 0.0)]
    assert (answering(Fixed(), "sum").threshold, answering(Fixed(), "sum").lengths) == (0.7, None)
    fixed = Fixed()
    assert answering(fixed, "text") is fixed
    with pytest.raises(UserError, match="answer 'sums' is not known: text, sum"):
        answering(fixed, "sums")


@pytest.fixture(scope="module")
def sums():
    """Images of sums, and of one that the reader takes for a word."""
    style = replace(load_style("digits"), sums="+-×=?")
    drawn = [draw(style, np.random.default_rng(seed)) for seed in range(8)]
    assert [text for _, text in drawn][:3] == ["51+2=?", "7×9", "1-29=?"]
    return [image for image, _ in drawn]


@pytest.fixture
def export(tmp_path):
    """The released reader as an export that gives answers, without its run."""
    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("model.onnx", "charset.json"):
        shutil.copy(CAPTCHA / name, folder)
    facts = replace(load(CAPTCHA)[0], answer="sum")
    facts.save(folder, list(facts.files))
    return folder


def test_an_export_gives_the_answers_of_its_run(export, sums, tmp_path, capsys):
    run, reader = seqclr.load("captcha"), seqclr.load(export)
    texts, answers = run.predict(sums), run.predict(sums, answer="sum")
    assert [p.text for p in texts[:3]] == ["51+2=?", "7xg", "1-29=?"]
    assert [p.text for p in answers[:3]] == ["53", "", "-28"]
    assert [p.confidence for p in answers[:3]] == [texts[0].confidence, 0, texts[2].confidence]
    assert reader.predict(sums) == answers and reader.answer == "sum"
    assert reader.predict(sums, answer="text") == texts and run.answer == "text"
    sums[0].save(tmp_path / "image.png")
    rows = []
    for words in (["--model", export], ["--model", "captcha", "--answer", "sum"]):
        assert cli.main(["predict", *map(str, words), str(tmp_path / "image.png")]) == 0
        rows.append(capsys.readouterr().out)
    assert rows[0] == rows[1] and rows[0].split("\t")[1] == "53"


def test_labels_are_answers_for_an_export_of_answers(export, sums, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for index, image in enumerate(sums):
        image.save(data / f"{index}.png")
    rows = [f"{index}.png,{text}\n" for index, text in enumerate(("53", "63", "-28"))]
    (data / "labels.csv").write_text("file,text\n" + "".join(rows))
    assert seqclr.load(export).evaluate(data)["exact_match"] == pytest.approx(2 / 3)  # 7×9 is taken for a word
    assert seqclr.load(export).evaluate(data, answer="text")["exact_match"] == 0


def test_the_server_gives_answers_and_keeps_no_images_of_them(export, sums, tmp_path):
    service = load_service({"site": str(export)}, Options(), seqclr.load)
    found = []
    with TestClient(application(service)) as client:
        for image in sums[:3]:
            stream = io.BytesIO()
            image.save(stream, "PNG")
            found.append(client.post("/v1/predict", content=stream.getvalue()).json())
    assert [each["text"] for each in found] == ["53", "", "-28"]
    assert [each["accept"] for each in found] == [True, False, True] and found[1]["confidence"] == 0
    with pytest.raises(UserError, match="predicts the answers to sums, which are no labels of its images"):
        load_service({"site": str(export)}, Options(keep=str(tmp_path / "kept")), seqclr.load)


@pytest.mark.slow
def test_an_export_is_compared_by_its_texts(sums, tmp_path):
    for index, image in enumerate(sums):
        image.save(tmp_path / f"{index}.png")
    folder = seqclr.load("captcha").export(tmp_path / "new", "onnx", answer="sum", data=tmp_path)
    assert json.loads((folder / "reader.json").read_text())["answer"] == "sum"
    card = (folder / "model_card.md").read_text(encoding="utf-8")
    assert "8 of 8 texts (100.00%) equal those of the run" in card and "predicts the answer to a sum" in card
    found, wanted = seqclr.load(folder).predict(sums), seqclr.load("captcha").predict(sums, answer="sum")
    assert [p.text for p in found] == [p.text for p in wanted]
    np.testing.assert_allclose([p.confidence for p in found], [p.confidence for p in wanted], atol=1e-3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "answer sum: a savedmodel gives the texts themselves: choose the format onnx or litert"),
        (["--encoder"], "--answer is for readers"),
    ],
)
def test_what_cannot_give_answers_is_refused(words, told, tmp_path, capsys):
    command = ["export", "--model", "captcha", "--output", str(tmp_path / "new"), "--answer", "sum", *words]
    assert cli.main(command) == 2
    assert told in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_an_unknown_answer_in_the_facts_is_one_sentence(export):
    values = json.loads((export / "reader.json").read_text())
    (export / "reader.json").write_text(json.dumps({**values, "answer": "sums"}))
    with pytest.raises(UserError, match=r"reader.json is damaged \(answer sums\): export it again"):
        seqclr.load(export)
    del values["answer"]  # of an export made before
    (export / "reader.json").write_text(json.dumps(values))
    assert seqclr.load(export).answer == "text"
