"""The requests of the web page: labels and their state, and requests of others, which are refused."""

import csv
import io
import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from seqclr.curation import check, contradictions, pack
from seqclr.curation.contradictions import Contradiction
from seqclr.data import discovery
from seqclr.data.charset import Charset
from seqclr.data.knowledge import NOTHING, Known, Possible
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.labelling import app
from seqclr.labelling.images import Images
from seqclr.labelling.journal import Journal
from seqclr.labelling.session import Change, Session
from tests.data.test_discovery import store
from tests.labelling.pictures import draw

TOKEN = "a-token"
HOST = "http://127.0.0.1:80"


class Stub:
    """A reader that predicts the first pixel of an image as three digits; with a margin, as four."""

    charset, height, width, resize = Charset("0123456789"), 32, 128, "stretch"
    threshold = lengths = None
    possible = Possible()

    def predict_images(self, arrays, beam=1, batch_size=64):
        for array in arrays:
            value = int(array[0, 0, 0])
            yield f"{value:0{3 if array.shape == (8, 24, 3) else 4}}", 0.9 - value / 1000


@pytest.fixture
def folder(tmp_path):
    draw(tmp_path, 6)
    return tmp_path


def session_of(folder, known=NOTHING, paths=None, strategy="random", listed=False, reader=None):
    journal = Journal(folder / "labels.csv")
    images = Images(paths or [folder], journal)
    contradicted = contradictions.read(folder, images.samples) if listed else None
    return Session(images, journal, reader or Stub(), known, strategy, contradicted)


@pytest.fixture
def session(folder):
    session = session_of(folder)
    yield session
    session.close()


@pytest.fixture
def client(session):
    return client_of(session)


def client_of(session):
    headers = {"x-seqclr-token": TOKEN, "host": "127.0.0.1:80"}
    return TestClient(app.application(session, TOKEN, 80), HOST, headers=headers)


def post(client, *changes, **headers):
    keys = ("image", "revision", "text", "source")
    body = json.dumps({"changes": [dict(zip(keys, change)) for change in changes]})
    return client.post(f"/{TOKEN}/labels", content=body, headers=headers)


def state(client, since=0):
    return client.get(f"/{TOKEN}/state?since={since}").json()


def rows(folder):
    with open(folder / "labels.csv", encoding="utf-8", newline="") as stream:
        return [(row["file"], row["text"], row["source"]) for row in csv.DictReader(stream)]


def test_labels_are_recorded_shown_and_written(session, client, folder):
    before = state(client)
    assert [image["name"] for image in before["images"]] == [f"{n}.png" for n in range(6)]
    assert post(client, (0, 0, "000", "accepted"), (1, 0, "12", "corrected")).json() == {"recorded": 2}
    assert post(client, (2, 0, None, "unreadable")).status_code == 200
    lines = session.journal.file.read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["000", "12", None]  # on the disk before the response
    after = state(client, before["version"])
    assert [(image["image"], image["text"], image["revision"]) for image in after["images"]] == [
        (0, "000", 1), (1, "12", 1), (2, None, 1)]  # fmt: skip
    progress = after["progress"]
    assert (progress["labelled"], progress["unreadable"], progress["lengths"]) == (2, 1, {"2": 1, "3": 1})
    assert progress["unseen"] == "3456789"
    session.close()
    assert rows(folder) == [("0.png", "000", "accepted"), ("1.png", "12", "corrected")]
    again = session_of(folder)
    assert [each.label and each.label.source for each in again._states[:4]] == [
        "accepted",
        "corrected",
        "unreadable",
        None,
    ]
    again.close()


def test_a_stale_label_records_nothing(session, client):
    assert post(client, (3, 0, "1", "typed")).status_code == 200
    found = post(client, (2, 0, "2", "typed"), (3, 0, "3", "typed"))
    assert found.status_code == 409 and found.json()["images"] == [3] and "another window" in found.json()["error"]
    assert [session._states[index].label and session._states[index].label.text for index in (2, 3)] == [None, "1"]
    assert post(client, (3, 1, None, "removed")).status_code == 200
    session.close()
    assert not session.journal.path.exists()  # no label is left


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((0, 0, "12a", "typed"), "has 'a', which --charset does not have"),
        ((0, 0, "12", "typed"), "has 2 characters, and --length is not that"),
        ((0, 0, " ", "typed"), "the label is empty"),
        ((0, 0, "1\n2", "typed"), "U+000A"),
        ((0, 0, None, "typed"), "the source 'typed' is not known"),
        ((0, 0, "123", "login"), "the source 'login' is not for labels that are given here"),
        ((0, 0, "123", "removed"), "the source 'removed' is not known"),
        ((0, 0, "1" * 1001, "typed"), "the label has 1001 characters, more than 1000"),
        ((6, 0, "123", "typed"), "there is no image 6"),
        ((-1, 0, "123", "typed"), "there is no image -1"),
    ],
)
def test_labels_that_cannot_be_are_refused(folder, change, message):
    session = session_of(folder, Known("0123456789", (3,)))
    found = post(client_of(session), (1, 0, "123", "typed"), change)
    assert found.status_code == 422 and message in found.json()["error"]
    assert not session.journal.file.exists()
    session.close()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"changes": [1]}', b'{"changes": [{"image": 1}]}', b"[" * 10_000]
)
def test_malformed_requests_are_refused(client, body):
    assert client.post(f"/{TOKEN}/labels", content=body).status_code == 400
    assert post(client, ("1", 0, "a", "typed")).status_code == post(client, (1, 0, 5, "typed")).status_code == 400
    for booleans in ((True, 0), (1, False)):
        assert post(client, (*booleans, "1", "typed")).status_code == 400
    assert post(client, (1, 0, "1", "typed"), (1, 0, "2", "typed")).status_code == 400
    assert client.post(f"/{TOKEN}/labels", content=b" " * (app.MAX_BYTES + 1)).status_code == 413


def test_other_sites_other_hosts_and_wrong_tokens_are_refused(client, session):
    change = (0, 0, "000", "accepted")
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:81"},
        {"host": "evil.example:80"},  # DNS rebinding
        {"host": "127.0.0.1:81"},
        {"x-seqclr-token": "b-token"},
        {"x-seqclr-token": ""},
    ):
        assert post(client, change, **headers).status_code == 403
    for path in ("/", "/state", "/a-tokem/", "//", "/b/images/0", f"/{TOKEN[:-1]}/state"):
        assert client.get(path).status_code == 403
    assert client.get(f"/{TOKEN}/", headers={"host": "evil.example"}).status_code == 403
    assert client.options(f"/{TOKEN}/labels", headers={"origin": "http://evil.example"}).status_code == 403
    assert not session.journal.file.exists()
    assert post(client, change, origin="http://127.0.0.1:80").status_code == 200
    assert client.get(f"/{TOKEN}/", headers={"host": "localhost"}).status_code == 200  # browsers leave port 80 out


def test_only_images_of_the_session_are_sent_and_as_png(client, folder):
    found = client.get(f"/{TOKEN}/images/3")
    assert np.asarray(Image.open(io.BytesIO(found.content)))[0, 0].tolist() == [30] * 3
    assert found.headers["content-type"] == "image/png"
    paths = ("images/6", "images/-1", f"images/{'1' * 5000}", "images/..%2f..%2fetc/passwd", "../../etc/passwd")
    for path in (*paths, "labels.csv", "images/a"):
        assert client.get(f"/{TOKEN}/{path}").status_code in (403, 404)
    (folder / "2.png").write_text("<script>alert(1)</script>")
    found = client.get(f"/{TOKEN}/images/2")
    assert found.status_code == 422 and found.headers["content-type"] == "application/json"


def test_a_version_that_is_no_number_gives_all(client):
    for since in ("", "a", "-1", "²", "9" * 5000):
        assert len(state(client, since)["images"]) == 6


def test_headers_forbid_scripts_of_others(client):
    for path in ("", "label.js", "label.css", "state", "images/0"):
        headers = client.get(f"/{TOKEN}/{path}").headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    page = client.get(f"/{TOKEN}/").text
    assert (
        "<script>" not in page and "http" not in page and "style=" not in page and " on" not in page.replace(" one", "")
    )


def test_predictions_come_in_the_background(session, client):
    session.start()
    session._predictor._thread.join()
    found = state(client)
    first = found["images"][1]
    assert (first["predicted"], first["confidence"], first["characters"], first["second"]) == ("010", 0.89, [], "0010")
    assert found["predicting"] == 0
    post(client, (1, 0, "010", "accepted"), (2, 0, "1", "corrected"))
    progress = state(client)["progress"]
    assert (progress["accepted"], progress["predicted"]) == (1, 2)


def test_labels_of_the_data_are_given_and_can_be_corrected(folder):
    (folder / "labels.csv").write_text("file,text,split\n0.png,first,test\n1.png,second,\n")
    session = session_of(folder)
    client = client_of(session)
    assert [image["source"] for image in state(client)["images"]] == ["given"] * 2 + [""] * 4
    assert 0 in session.test and 1 not in session.test
    post(client, (0, 0, "better", "corrected"), (3, 0, "new", "typed"))
    post(client, (1, 0, None, "wrong"))
    post(client, (1, 1, "second one", "corrected"))
    session.close()
    found = discovery.find([folder / "labels.csv"])
    part = "test" if 3 in session.test else "train"
    assert [(each.text, each.split) for each in found] == [("better", "test"), ("second one", None), ("new", part)]


def test_marks_of_wrong_texts_survive_and_remove_labels(folder):
    (folder / "labels.csv").write_text("file,text\n0.png,000\n1.png,010\n")
    session = session_of(folder)
    assert post(client_of(session), (0, 0, None, "wrong"), (2, 0, None, "wrong")).status_code == 200
    session.close()
    assert sorted(rows(folder)) == [("0.png", "", "wrong"), ("1.png", "010", "given")]
    again = session_of(folder)
    client = client_of(again)
    found = {image["name"]: image for image in state(client)["images"]}
    sources = {"0.png": "wrong", "1.png": "given", "2.png": "wrong", "3.png": "", "4.png": "", "5.png": ""}
    assert {name: image["source"] for name, image in found.items()} == sources
    assert state(client)["order"][-1] == found["1.png"]["image"]  # the others are to be labelled
    post(client, (found["0.png"]["image"], 0, "000", "given"))
    again.close()
    assert sorted(rows(folder)) == [("0.png", "000", "given"), ("1.png", "010", "given")]


def test_accuracy_is_that_on_labels_by_hand_with_marks_as_wrong(folder):
    """0 is right, 1 is the prediction of the reader that a login confirmed, 2 is marked, 3 unreadable, 4 to come."""
    names = "".join(f"{number}.png,,test\n" for number in (0, 2, 3, 4))
    (folder / "given.csv").write_text(f"file,text,split\n{names}")
    (folder / "labels.csv").write_text("file,text,split,source\n1.png,010,test,login\n")
    session = session_of(folder, paths=[folder / "given.csv", folder / "1.png"])
    session.start()
    session._predictor._thread.join()
    client, files = client_of(session), [Path(sample.file).name for sample in session.images.samples]
    for name, text, source in (("0.png", "000", "accepted"), ("2.png", None, "wrong"), ("3.png", None, "unreadable")):
        assert post(client, (files.index(name), 0, text, source)).status_code == 200
    progress = state(client)["progress"]
    assert (progress["tested"], progress["test_part"]) == (2, 5) and progress["accuracy"][0] == 0.5
    assert {(Path(each.file).name, each.text) for each in session._truths()} == {("0.png", "000"), ("2.png", None)}
    session.close()


def test_a_label_of_a_login_can_only_be_brought_back(folder):
    (folder / "labels.csv").write_text("file,text,source\n1.png,010,login\n")
    session = session_of(folder)
    client = client_of(session)
    assert post(client, (0, 0, "011", "corrected")).status_code == 200  # 1.png, as it is listed
    for change in ((0, 1, "011", "login"), (1, 0, "000", "login")):
        assert post(client, change).status_code == 422
    assert post(client, (0, 1, "010", "login")).status_code == 200
    session.close()


def test_a_label_that_was_taken_away_stays_away_in_other_verbs(folder):
    """Labels of the folder's own table, into another file, in two sessions; 3.png had none."""
    site = folder / "site"
    site.mkdir()
    draw(site, 4)
    (site / "labels.csv").write_text("file,text,split\n0.png,000,train\n1.png,010,test\n2.png,020,\n")
    session = session_of(folder, paths=[site])
    index = {Path(sample.file).name: number for number, sample in enumerate(session.images.samples)}
    marks = [(index[name], 0, None, "unreadable") for name in ("0.png", "3.png")]
    assert post(client_of(session), *marks).status_code == 200
    session.close()
    session = session_of(folder, paths=[site])
    assert post(client_of(session), (index["1.png"], 0, None, "wrong")).status_code == 200
    session.close()
    expected = [("site/0.png", "", "unreadable"), ("site/1.png", "", "wrong"), ("site/2.png", "020", "given")]
    assert sorted(rows(folder)) == expected
    session.journal.file.unlink()
    session = session_of(folder, paths=[site])
    sources = {image["name"]: image["source"] for image in state(client_of(session))["images"]}
    assert sources == {**{file: source for file, _, source in expected}, "site/3.png": ""}  # that one has no row
    session.close()
    data = [site, folder / "labels.csv"]
    assert [(Path(each.file).name, each.text) for each in discovery.find(data)] == [("2.png", "020")]
    assert {Path(each.file).name for each in discovery.find_unlabelled(data)} == {"0.png", "2.png", "3.png"}
    found = check.check(data)
    assert not found.harmful and {finding.kind for finding in found.findings} == {"empty"}


def test_labels_of_the_data_are_trained_on_before_one_is_given(folder, monkeypatch):
    """A training reads the file; a table of the data that has another text is not given to it."""
    (folder / "given.csv").write_text("file,text\n0.png,000\n1.png,010\n")
    offered = []

    class Seen(Training):
        def offer(self, n_labels):
            offered.append((n_labels, rows(folder)))

    monkeypatch.setattr("seqclr.labelling.session.LOOK", 0.01)
    session = session_of(folder, paths=[folder / "given.csv"])
    session.training = Seen(folder)
    session.start()
    while not offered:
        time.sleep(0.01)
    session.close()
    assert offered[0] == (2, [("0.png", "000", "given"), ("1.png", "010", "given")])


def test_rows_without_a_text_are_no_labels(folder):
    (folder / "labels.csv").write_text("file,text\n0.png,\n1.png, \n2.png,2\n")
    session = session_of(folder)
    found = state(client_of(session))
    assert [image["source"] for image in found["images"]] == ["", "", "given", "", "", ""]
    assert found["progress"]["labelled"] == 1
    session.close()


def test_the_test_part_is_the_same_after_a_restart(folder):
    draw(folder, 25)
    session = session_of(folder)
    before, labelled = names_of_test(session), [min(session.test), min(set(range(25)) - session.test)]
    post(client_of(session), *((index, 0, "1", "typed") for index in labelled))
    session.close()
    again = session_of(folder)  # the splits of the page are those of labels.csv now
    assert len(before) > 1 and names_of_test(again) == before
    again.close()


def names_of_test(session):
    return {session.images.files[index] for index in session.test}


def test_characters_are_counted_as_the_reader_spells_them(folder, monkeypatch):
    monkeypatch.setattr(Stub, "charset", Charset("abc", case="lower"))
    session = session_of(folder)
    post(client_of(session), (0, 0, "AB", "typed"), (1, 0, "a", "typed"))
    progress = state(client_of(session))["progress"]
    assert (progress["characters"], progress["unseen"]) == ({"a": 2, "b": 1}, "c")
    session.close()


@pytest.fixture(params=["lmdb", "pack"])
def stored(request, folder):
    """An LMDB or a pack of the images, the first three of which have labels, and an empty folder for the table."""
    (target := folder / "target").mkdir()
    fill_store(request.param, folder, target)
    return target


def fill_store(kind, folder, target):
    """An LMDB has labels of all its images, or of none; so it gets the first three images."""
    (folder / "labels.csv").write_text("file,text\n0.png,000\n1.png,010\n2.png,020\n")
    if kind == "lmdb":
        store(target / "store", [((folder / f"{n}.png").read_bytes(), f"{10 * n:03}".encode()) for n in range(3)])
    else:
        pack.pack([str(folder)], str(target / "store"))


@pytest.mark.parametrize("kind", ["lmdb", "pack"])
@pytest.mark.parametrize("labelled", [True, False])  # by hand; without, those of the store itself are taken over
def test_a_store_that_was_made_anew_is_refused(folder, kind, labelled):
    """Each time in another folder, into which the labels are copied: a process opens a store once."""
    files = ("labels.csv", "labels.csv.journal")

    def start(number, kept=files):
        (target := folder / str(number)).mkdir()
        fill_store(kind, folder, target)
        for name in kept:
            shutil.copy(folder / str(number - 1) / name, target)
        return session_of(target, paths=[target / "store"])

    session = start(0, ())
    if labelled:
        post(client_of(session), (0, 0, "001", "corrected"), (1, 0, None, "unreadable"))
    session.close()
    start(1).close()  # the same images
    Image.fromarray(np.full((8, 24, 3), 77, np.uint8)).save(folder / "0.png")
    with pytest.raises(UserError) as error:
        start(2)
    target, told = folder / "2", str(error.value)
    assert "store has another image as store:image-000000001 than" in told or kind == "pack"
    assert " has another image as store" in told and f"than the one that was labelled in {target}/labels.csv:" in told
    assert told.endswith(f"or, where the labels are those of the new images, delete {target}/labels.csv.journal")
    assert rows(target)[0][1] == ("001" if labelled else "000")
    start(3, files[:1]).close()  # the journal is deleted


def test_labels_in_a_store_are_corrected_for_all_verbs(stored):
    session = session_of(stored, paths=[stored / "store"])
    session.test.clear()
    client = client_of(session)
    assert [image["source"] for image in state(client)["images"]][:3] == ["given"] * 3
    changes = [(1, 0, "011", "corrected"), (2, 0, None, "unreadable")]
    if len(session.images) > 3:
        changes.append((3, 0, "030", "accepted"))
    assert post(client, *changes).status_code == 200
    session.close()
    found = [(each.text, each.read_bytes()) for each in discovery.find([stored / "labels.csv"])]
    texts = ["000", "011", "030"][: len(found)]
    files = [(stored.parent / f"{n}.png").read_bytes() for n in (0, 1, 3)]
    assert found == list(zip(texts, files)) and len(found) == len(changes)
    assert sorted(path.name for path in stored.iterdir()) == ["labels.csv", "labels.csv.journal", "store"]
    for paths in ([stored / "store", stored / "labels.csv"], [stored / "labels.csv", stored / "store"]):
        images = discovery.find_unlabelled(paths)  # as `adapt` reads them
        assert len(images) == len({(each.store, each.file) for each in images}) == len(session.images)
        assert [each.text for each in discovery.find(paths) if each.text] == texts
    again = session_of(stored, paths=[stored / "store" / ".." / "store"])
    shown = [(image["text"], image["source"]) for image in state(client_of(again))["images"]]
    assert shown[:3] == [("000", "given"), ("011", "corrected"), (None, "unreadable")]
    again.close()


def test_findings_of_check_are_of_the_images_of_a_store(stored):
    session = session_of(stored, Known("0123456789", (3,)), [stored / "store"])
    post(client_of(session), (1, 0, "000", "corrected"))
    session.known = Known("0123456789", (2,))
    assert {each["kind"]: each["images"] for each in session.findings()} == {"length": [0, 1, 2]}
    session.close()


def test_findings_of_check_are_of_the_present_labels(folder):
    draw(folder, 1)
    (folder / "copy.png").write_bytes((folder / "0.png").read_bytes())
    (folder / "bad.png").write_text("no image")
    session = session_of(folder, Known("0123456789", (3,)))
    session.test.clear()  # where one of two equal images may be
    client = client_of(session)
    names = [image["name"] for image in state(client)["images"]]

    def found():
        return {each["kind"]: {names[i] for i in each["images"]} for each in client.get(f"/{TOKEN}/findings").json()}

    assert found() == {"unreadable": {"bad.png"}, "duplicates": {"0.png", "copy.png"}}
    post(client, (names.index("0.png"), 0, "123", "typed"), (names.index("copy.png"), 0, "124", "typed"))
    assert found() == {"unreadable": {"bad.png"}, "conflicts": {"0.png", "copy.png"}}
    session.close()


@pytest.mark.parametrize(("lengths", "texts"), [((3,), ["12", "345"]), (None, ["12"] + ["345"] * 24)])
def test_labels_of_another_length_are_found(tmp_path, lengths, texts):
    """Lengths that are known, and without, those that few labels have."""
    folder = tmp_path / "images"
    folder.mkdir()
    draw(folder, len(texts))
    rows = [f"{number}.png,{text}\n" for number, text in enumerate(texts)]
    (folder / "labels.csv").write_text("file,text\n" + "".join(rows))
    session = session_of(folder, Known("0123456789", lengths))
    found = client_of(session).get(f"/{TOKEN}/findings").json()
    assert [(each["kind"], [session.images.files[i] for i in each["images"]]) for each in found] == [
        ("length", ["0.png"])
    ]
    session.close()


def test_contradicted_labels_are_ranked_until_they_are_looked_at(folder):
    (folder / "labels.csv").write_text("file,text\n0.png,12\n1.png,34\n2.png,56\n3.png,78\n")
    listed = [(f"{folder}/{n}.png", text, "9", "0.75", "5", "yes") for n, text in ((2, "56"), (0, "12"), (3, "other"))]
    contradictions.write([Contradiction(*row) for row in listed], folder)
    session = session_of(folder, listed=True)
    client = client_of(session)
    assert [each["contradicted"] for each in state(client)["images"]] == [2, 0, 1, 0, 0, 0]
    found = state(client)["images"][2]
    assert (found["text"], found["predicted"], found["confidence"]) == ("56", "9", 0.75)
    post(client, (2, 0, "56", "given"))  # it is right
    assert [each["contradicted"] for each in state(client)["images"]][:3] == [2, 0, 0]
    session.close()
    again = session_of(folder, listed=True)
    assert [each["contradicted"] for each in state(client_of(again))["images"]][:3] == [2, 0, 0]
    again.close()


def test_a_folder_without_images_is_refused(tmp_path):
    journal = Journal(tmp_path / "labels.csv")
    with pytest.raises(UserError, match="holds no image"):
        Images([tmp_path], journal)
    journal.close()


def test_the_order_is_that_of_the_strategy_with_the_test_part_in_between(folder):
    draw(folder, 25)
    session = session_of(folder, strategy="uncertain")
    assert 0 < len(session.test) < 25
    before = state(client_of(session))["order"]
    session.start()
    session._predictor._thread.join()
    after = state(client_of(session))
    names = [after["images"][index]["name"] for index in after["order"] if index not in session.test]
    assert sorted(before) == sorted(after["order"]) == list(range(25)) and before != after["order"]
    assert names == sorted(names, key=lambda name: -int(name[:-4]))  # lighter images are less certain
    assert session.test & set(after["order"][:12]) and not session.test & set(after["order"][:3])
    revision = after["images"][0]["revision"]
    post(client_of(session), (after["order"][0], revision, "1", "typed"))
    assert state(client_of(session), after["version"])["order"] == []
    session.close()


class Seeing(Stub):
    """Its features are the lightness, and all characters are as likely."""

    def knowing(self, known):
        return self

    def log_probabilities(self, pixels, widths):
        return np.log(np.full((len(pixels), 2, 11), 1 / 11))

    def features(self, pixels, widths):
        return pixels[:, 0, 0].astype(np.float32)


def test_diverse_gets_the_features_of_the_reader(folder):
    """The darkest and the lightest image are the farthest from the middle, and come first."""
    draw(folder, 25)
    session = session_of(folder, strategy="diverse", reader=Seeing())
    session.start()
    session._predictor._thread.join()
    order = [index for index in state(client_of(session))["order"] if index not in session.test]
    light = {index: int(Path(name).stem) for index, name in enumerate(session.images.files)}
    assert {light[index] for index in order[:2]} == {min(map(light.get, order)), max(map(light.get, order))}
    session.close()


class Training:
    """A training that has a reader from the third label on."""

    latest = None

    def __init__(self, folder):
        self.folder = folder

    def offer(self, n_labels):
        self.latest = self.folder if n_labels >= 3 else None

    def state(self, truths):
        rounds = [{"labels": 3, "tested": 20, "accuracy": 0.9, "low": 0.7, "high": 0.97}] if self.latest else []
        return {"running": None, "failed": None, "rounds": rounds}

    def close(self):
        pass


def test_no_predictions_run_after_the_end(folder, monkeypatch):
    """The trainer finds a new reader after the session was closed."""

    class Slow(Stub):
        def knowing(self, known):
            return self

        def predict_images(self, arrays, beam=1, batch_size=64):
            time.sleep(0.2)
            return super().predict_images(arrays)

    class Late(Training):
        def offer(self, n_labels):
            session._closed.wait()
            self.latest = self.folder

    monkeypatch.setattr("seqclr.labelling.session.LOOK", 0.01)
    monkeypatch.setattr("seqclr.labelling.predictions.load_reader", lambda path: Slow())
    session = session_of(folder)
    session.training = Late(folder)
    session.start()
    time.sleep(0.1)
    session.close()
    assert not session._predictor._thread.is_alive()


def test_a_training_that_fails_is_told_and_looked_at_again(folder, monkeypatch):
    class Fails(Training):
        def state(self, truths):
            if len(looks := self.__dict__.setdefault("looks", [])) < 2:
                looks.append(session._trained)
                raise KeyError("labels")
            return super().state(truths)

    monkeypatch.setattr("seqclr.labelling.session.LOOK", 0.01)
    session = session_of(folder)
    session.training = Fails(folder)
    session.start()
    until = time.monotonic() + 20
    while (session._trained or {"failed": ""})["failed"] is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert session.training.looks[1]["failed"] == "KeyError: 'labels'" and session._trained["failed"] is None
    session.close()


def test_a_trained_reader_without_what_the_strategy_needs_is_not_taken(folder, monkeypatch):
    """As of an export of an older version, in the folder of the training."""

    class Blind(Seeing):
        def features(self, pixels, widths):
            return None

    monkeypatch.setattr("seqclr.labelling.session.LOOK", 0.01)
    monkeypatch.setattr("seqclr.labelling.predictions.load_reader", lambda path: Blind())
    session = session_of(folder, strategy="diverse", reader=Seeing())
    session.training = Training(folder)
    session.start()
    session.label([Change(index, 0, "1", "typed") for index in range(6)])
    until = time.monotonic() + 20
    while not (session._trained or {}).get("failed") and time.monotonic() < until:
        time.sleep(0.01)
    assert session._trained["failed"].startswith("the strategy diverse needs the features of an encoder: this export")
    assert isinstance(session._reader, Seeing) and not isinstance(session._reader, Blind)
    session.close()


def test_labels_are_written_where_no_order_can_be_made(folder, monkeypatch):
    def fails(*_, **__):
        raise ValueError("no order")

    monkeypatch.setattr("seqclr.labelling.session.AGAIN", 1)
    monkeypatch.setattr("seqclr.labelling.session.DELAY", 0.01)
    session = session_of(folder)
    session.start()
    session._predictor._thread.join()
    monkeypatch.setattr("seqclr.labelling.strategies.order", fails)
    for index in range(3):
        session.label([Change(index, 0, "1", "typed")])
        until = time.monotonic() + 20
        while not (folder / "labels.csv").is_file() or len(rows(folder)) <= index and time.monotonic() < until:
            time.sleep(0.01)
    assert len(rows(folder)) == 3
    session.close()


def test_names_that_are_not_utf8_are_left_out_where_the_table_would_list_them(folder, monkeypatch):
    """That is the path of a store, and not the name of an image in a pack."""
    (folder / "a\udcff.png").write_bytes((folder / "0.png").read_bytes())
    pack.pack([str(folder)], str(folder / "packed"))
    (target := folder / "target").mkdir()
    session = session_of(target, paths=[folder / "packed"])
    assert len(session.images) == 7
    client = client_of(session)
    post(client, *((index, 0, "123", "typed") for index in range(7)))
    assert len(state(client)["images"]) == 7
    session.close()
    assert len(rows(target)) == 7
    stored = Sample("", "0.png", store=str(folder / "odd\udcff" / "lmdb"))
    monkeypatch.setattr("seqclr.labelling.images.survey", lambda paths: ([stored], []))
    with pytest.raises(UserError, match="holds no image that can be labelled"):
        Images(["odd"], Journal(target / "labels.csv"))


def test_predictions_of_a_trained_reader_replace_those_before(folder, monkeypatch):
    class Trained(Stub):
        def knowing(self, known):
            return self

        def predict_images(self, arrays, beam=1, batch_size=64):
            return ((f"1{text}", confidence) for text, confidence in super().predict_images(arrays))

    monkeypatch.setattr("seqclr.labelling.session.LOOK", 0.01)
    monkeypatch.setattr("seqclr.labelling.predictions.load_reader", lambda path: Trained())
    draw(folder, 25)
    session = session_of(folder)
    session.training = Training(folder)
    session.start()
    client, train = client_of(session), sorted(set(range(25)) - session.test)
    post(client, *((index, 0, "1", "typed") for index in train[:3]))
    until = time.monotonic() + 20
    while state(client)["images"][0]["predicted"] != "1000" and time.monotonic() < until:
        time.sleep(0.02)
    found = state(client)
    assert found["images"][0]["predicted"] == "1000"
    assert found["training"]["rounds"][0]["labels"] == 3 and "forecast" in found["training"]
    session.close()
