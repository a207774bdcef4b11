"""Feedback on answers: its shapes, the folder of images, its limits, and what a full disk does."""

import csv
import io
import time
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from seqclr.cli import main
from seqclr.data import labels
from seqclr.data.discovery import find
from seqclr.errors import UserError
from seqclr.serve import keeper as keeping
from seqclr.serve import results
from seqclr.serve.app import application
from seqclr.serve.keeper import Keeper
from seqclr.serve.metrics import Metrics
from seqclr.serve.options import Options
from tests.deployment.serving import Stub, png, service_of


@pytest.fixture
def client(tmp_path):
    with TestClient(application(service_of(Options(keep=str(tmp_path)), site=Stub()))) as client:
        yield client


def answer(client, value: int) -> int:
    return client.post("/v1/predict", content=png(value)).json()["id"]


def tell(client, number: object, accepted: object) -> tuple[int, dict]:
    response = client.post("/v1/feedback", json={"id": number, "accepted": accepted})
    return response.status_code, response.json()


def table(folder: Path, name: str = "labels.csv") -> list[dict]:
    with open(folder / name, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_an_accepted_text_becomes_a_label_and_a_refused_one_does_not(client, tmp_path):
    right, wrong = answer(client, 7), answer(client, 8)
    assert tell(client, right, True) == (200, {"id": right, "accepted": True, "kept": True})
    assert tell(client, wrong, False)[1]["kept"] is True
    [row], [refused] = table(tmp_path / "site"), table(tmp_path / "site", "refused.csv")
    assert row["text"] == "t007" and row["source"] == "login" and row["split"] in ("train", "test")
    assert (tmp_path / "site" / row["file"]).read_bytes() == png(7)
    assert refused["text"] == "t008" and (tmp_path / "site" / refused["file"]).read_bytes() == png(8)
    [sample] = find([tmp_path / "site"])  # as finetune finds it
    assert sample.text == "t007" and sample.split == row["split"]
    metrics = client.get("/metrics").text
    assert 'seqclr_feedback_total{model="site",outcome="accepted"} 1.0' in metrics


def test_the_same_report_again_changes_nothing_and_another_one_is_refused(client, tmp_path):
    number = answer(client, 7)
    assert tell(client, number, True)[0] == tell(client, str(number), True)[0] == 200
    status, body = tell(client, number, False)
    assert status == 409 and "accepted before" in body["error"]
    assert len(table(tmp_path / "site")) == 1 and not table(tmp_path / "site", "refused.csv")


@pytest.mark.parametrize(("number", "accepted", "status"), [(None, True, 400), (5, "yes", 400), (5, True, 404)])
def test_feedback_that_cannot_be_used(client, number, accepted, status):
    assert tell(client, number, accepted)[0] == status


def test_reports_of_services_for_captchas(client, tmp_path):
    def report(path: str, number: int, **more) -> dict:
        return client.post(path, json={"clientKey": "any", "taskId": number, **more}).json()

    for path in ("/reportCorrect", "/reportIncorrect", "/reportIncorrectImageCaptcha"):
        assert report(path, answer(client, 20)) == {"errorId": 0, "status": "success"}
    for invalid in (False, True):
        assert report("/feedbackTask", answer(client, 20), result={"invalid": invalid})["errorId"] == 0
    assert report("/feedbackTask", answer(client, 20), result=[])["errorId"] > 0
    for action in ("reportgood", "reportbad"):
        number = client.post("/in.php", files={"file": png(20)}).text[3:]
        assert client.get("/res.php", params={"action": action, "id": number}).text == "OK_REPORT_RECORDED"
    other = client.get("/res.php", params={"action": "reportgood", "id": number}).text
    assert other == "ERROR_DUPLICATE_REPORT"
    assert (len(table(tmp_path / "site")), len(table(tmp_path / "site", "refused.csv"))) == (3, 4)


def test_without_a_folder_feedback_is_only_counted():
    with TestClient(application(service_of(Options(), site=Stub()))) as client:
        number = answer(client, 7)
        assert client.app.routes[0].endpoint.service.results.take_image(number) is None  # none was held
        assert tell(client, number, True)[1]["kept"] is False
        assert 'outcome="accepted"} 1.0' in client.get("/metrics").text


def test_ids_expire_and_images_are_held_within_a_limit(client, monkeypatch, tmp_path):
    monkeypatch.setattr(results, "HELD_BYTES", 2 * len(png(7)))
    numbers = [answer(client, 7) for _ in range(3)]
    assert [tell(client, number, True)[1]["kept"] for number in numbers] == [False, True, True]
    monkeypatch.setattr(results, "SECONDS", -1.0)
    assert tell(client, answer(client, 7), True)[0] == 404


def test_predictions_displace_no_task(client, monkeypatch):
    monkeypatch.setattr(results, "KEPT", 2)
    task = int(client.post("/in.php", files={"file": png(7)}).text[3:])
    numbers = [answer(client, 8) for _ in range(3)]
    assert client.get("/res.php", params={"action": "get", "id": task}).text == "OK|t007"
    assert [tell(client, number, True)[0] for number in (*numbers, task)] == [404, 200, 200, 200]
    assert "the latest 2 at most" in tell(client, numbers[0], True)[1]["error"]


def test_a_full_disk_loses_the_image_with_a_warning_and_no_prediction(client, monkeypatch, tmp_path, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(keeping, "append", full)
        for _ in range(2):
            status, body = tell(client, answer(client, 7), True)
            assert status == 200 and body["kept"] is False
    assert caplog.text.count("No space left") == 1
    assert not list((tmp_path / "site" / "images").iterdir())
    assert 'seqclr_feedback_lost_total{model="site"} 2.0' in client.get("/metrics").text
    assert tell(client, answer(client, 7), True)[1]["kept"] is True


def keep(folder: Path, max_bytes: int = 10**6, days: float = 1.0) -> Keeper:
    return Keeper(folder, "site", max_bytes, days, Metrics())


def test_the_oldest_images_are_removed_first(tmp_path, monkeypatch):
    def pass_hours(hours: float) -> None:
        monkeypatch.setattr(keeping, "now", lambda days_ago=0.0: labels.now(days_ago - hours / 24))

    keeper = keep(tmp_path, 5 * len(png(7)))
    for i in range(8):
        pass_hours(i)
        keeper._write(100 + i, png(7), "t007", accepted=i % 2 == 0)
    left = sorted(row["file"] for name in ("labels.csv", "refused.csv") for row in table(tmp_path, name))
    assert left == ["images/104.png", "images/106.png", "refused/105.png", "refused/107.png"]
    assert sorted(f"{file.parent.name}/{file.name}" for file in tmp_path.rglob("*.png")) == left
    keeper.close()
    pass_hours(29.5)
    keep(tmp_path, days=1.0).close()
    assert [row["file"] for row in table(tmp_path)] == ["images/106.png"]


def test_a_jpeg_of_several_images_is_kept(tmp_path):
    data, images = io.BytesIO(), [Image.open(io.BytesIO(png(value))) for value in (7, 8)]
    images[0].save(data, "MPO", save_all=True, append_images=images[1:])
    keeper = keep(tmp_path)
    keeper._write(1, data.getvalue(), "t007", True)
    assert table(tmp_path)[0]["file"] == "images/1.jpg" and find([tmp_path])[0].text == "t007"


def test_what_a_killed_server_leaves_is_mended(tmp_path):
    keeper = keep(tmp_path)
    keeper._write(1, png(7), "t007", True)
    keeper.close()
    with open(tmp_path / "labels.csv", "a") as stream:
        stream.write("images/2.png,t0")
    for name in ("2.png", "3.png.partial", "mine.png"):
        (tmp_path / "images" / name).write_bytes(png(8))
    keep(tmp_path).close()
    assert [row["file"] for row in table(tmp_path)] == ["images/1.png"]
    assert sorted(file.name for file in (tmp_path / "images").iterdir()) == ["1.png", "mine.png"]


@pytest.mark.parametrize("row", ["images/2.png,7,8,train,login,time", "images/2.png,7"])
def test_a_row_edited_by_hand_to_other_columns_is_refused(tmp_path, row):
    keep(tmp_path).close()
    with open(tmp_path / "labels.csv", "a") as stream:
        stream.write(row + "\n")
    with pytest.raises(UserError, match="was not written by seqclr serve"):
        keep(tmp_path)


def test_folders_that_are_refused(tmp_path, capsys):
    (tmp_path / "captcha").mkdir()
    (tmp_path / "captcha" / "labels.csv").write_text("file,text\n")
    assert main(["serve", "captcha", "--port", "0", "--keep", str(tmp_path)]) == 2
    assert "was not written by seqclr serve: choose another --keep" in capsys.readouterr().err
    with pytest.raises(UserError, match="another process"):
        first = keep(tmp_path / "site")
        try:
            keep(tmp_path / "site")
        finally:
            first.close()


def test_a_slow_disk_delays_no_prediction(client, monkeypatch):
    write = Keeper._write

    def slow(*args):
        time.sleep(0.5)
        write(*args)

    monkeypatch.setattr(Keeper, "_write", slow)
    number = answer(client, 7)

    async def both():
        import asyncio

        service = client.app.routes[0].endpoint.service
        report = asyncio.create_task(service.report(number, True))
        start = time.monotonic()
        await service.predict(png(8), "the image")
        seconds = time.monotonic() - start
        assert await report
        return seconds

    assert client.portal.call(both) < 0.4
