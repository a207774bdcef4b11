"""Each endpoint of the server, and the status of each refusal, with a stub of a reader."""

import base64
import io
import json

import pytest
from PIL import Image
from starlette.testclient import TestClient

from seqclr.data.images import Limits, set_limits
from seqclr.serve.app import ENDPOINTS, application
from seqclr.serve.openapi import REFUSALS
from seqclr.serve.options import Options
from tests.deployment.serving import Stub, png, service_of

OPTIONS = Options(max_bytes=20_000, max_pixels=10_000, queue=4, timeout=0.5)
IMAGE = png(7)
B64 = base64.b64encode(IMAGE).decode()
FIRST = {"text": "t007", "confidence": 0.9, "accept": True, "model": "first"}


@pytest.fixture(autouse=True)
def limits_of_the_server(limits):
    """Those of this process, which other tests set back."""
    set_limits(Limits(OPTIONS.max_bytes, OPTIONS.max_pixels))


@pytest.fixture(scope="module")
def stub():
    return Stub()


@pytest.fixture(scope="module")
def client(stub):
    with TestClient(application(service_of(OPTIONS, first=stub, second=Stub("s")))) as client:
        yield client


@pytest.fixture(scope="module")
def locked():
    options = Options(token="Sesam öffne dich")
    with TestClient(application(service_of(options, first=Stub()))) as client:
        yield client


def without_id(answer: dict) -> dict:
    assert answer.pop("id") > 0
    return answer


# /v1/predict


def test_an_image_as_the_body(client):
    assert without_id(client.post("/v1/predict", content=IMAGE).json()) == FIRST
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # as curl --data-binary says
    assert without_id(client.post("/v1/predict", content=IMAGE, headers=form).json()) == FIRST


def test_a_file_of_a_form(client):
    assert without_id(client.post("/v1/predict", files={"file": ("a.png", IMAGE)}).json()) == FIRST


def test_several_files_one_of_them_damaged(client):
    files = [("file", ("a.png", IMAGE)), ("file", ("b.png", b"no image")), ("file", ("c.png", png(240)))]
    first, second, third = client.post("/v1/predict", files=files).json()["predictions"]
    assert without_id(first) == {"file": "a.png", **FIRST}
    assert second["status"] == 422 and "b.png" in second["error"]
    assert (third["text"], third["accept"]) == ("t240", False)


def test_a_named_model(client):
    for kwargs in ({"params": {"model": "second"}}, {"data": {"model": "second"}}):
        found = client.post("/v1/predict", files={"file": IMAGE}, **kwargs).json()
        assert (found["text"], found["model"]) == ("s007", "second")


# createTask, in.php


def test_a_task_and_its_result(client):
    made = client.post("/createTask", json={"clientKey": "any", "task": {"type": "ImageToTextTask", "body": B64}})
    assert made.json()["status"] == "ready"
    assert made.json()["solution"] == {**FIRST, "id": made.json()["taskId"]}
    result = client.post("/getTaskResult", json={"clientKey": "any", "taskId": made.json()["taskId"]}).json()
    assert (result["errorId"], result["status"], without_id(result["solution"])) == (0, "ready", FIRST)


def test_a_module_that_names_no_reader_is_another_setting(client):
    for module, found in ((["x"], "t007"), ("common", "t007"), ("second", "s007")):
        task = {"type": "ImageToTextTask", "body": B64, "module": module}
        made = client.post("/createTask", json={"clientKey": "any", "task": task}).json()
        assert made["solution"]["text"] == found, module


@pytest.mark.parametrize(
    ("task", "status", "code"),
    [
        (None, 400, "ERROR_TASK_ABSENT"),
        ({"type": "HCaptchaTask"}, 501, "ERROR_TASK_NOT_SUPPORTED"),
        ({"type": "ImageToTextTask", "body": "é"}, 422, "ERROR_IMAGE_TYPE_NOT_SUPPORTED"),
        ({"type": "ImageToTextTask", "body": ""}, 422, "ERROR_IMAGE_TYPE_NOT_SUPPORTED"),
    ],
)
def test_a_task_that_is_refused(client, task, status, code):
    response = client.post("/createTask", json={"clientKey": "any", "task": task})
    assert response.status_code == status
    assert response.json()["errorId"] > 0 and response.json()["errorCode"] == code


def test_in_php_and_res_php(client):
    for form in ({"files": {"file": IMAGE}}, {"data": {"method": "base64", "body": B64}}):
        given = client.post("/in.php", **form).text
        assert given.startswith("OK|")
        assert client.get("/res.php", params={"action": "get", "id": given[3:]}).text == "OK|t007"
    given = client.post("/in.php", files={"file": IMAGE}, data={"json": "1"}).json()
    assert given["status"] == 1
    result = client.get("/res.php", params={"action": "get", "id": given["request"], "json": "1"}).json()
    assert result == {"status": 1, "request": "t007"}
    assert client.get("/res.php", params={"action": "reportbad", "id": given["request"]}).text == "OK_REPORT_RECORDED"


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        ({"data": {"method": "post"}}, "ERROR_BAD_PARAMETERS"),
        ({"data": {"method": "userrecaptcha"}}, "ERROR_BAD_PARAMETERS"),
        ({"files": {"file": b"no image"}}, "ERROR_IMAGE_TYPE_NOT_SUPPORTED"),
        ({"files": {"file": bytes(30_000)}}, "ERROR_TOO_BIG_CAPTCHA_FILESIZE"),
    ],
)
def test_in_php_refuses_as_its_clients_expect(client, form, answer):
    response = client.post("/in.php", **form)
    assert (response.status_code, response.text) == (200, answer)


def test_res_php_knows_no_other_task(client):
    assert client.get("/res.php", params={"action": "get", "id": "12"}).text == "ERROR_WRONG_CAPTCHA_ID"


# the servers of ddddocr


@pytest.mark.parametrize("form", ["", "/text"])
def test_ocr_as_text(client, form):
    assert client.post(f"/ocr/file{form}", files={"image": IMAGE}).text == "t007"
    assert client.post(f"/ocr/b64{form}", content=B64).text == "t007"
    assert client.post(f"/ocr/b64{form}", content="no image").text == ""


def test_ocr_as_json(client):
    right = {"status": 200, "result": "t007", "msg": ""}
    assert client.post("/ocr/file/json", files={"image": IMAGE}).json() == right
    assert client.post("/ocr/b64/json", content=B64).json() == right
    wrong = client.post("/ocr/file/json", files={"image": b"no image"}).json()
    assert wrong["result"] == "" and wrong["msg"]


def test_ocr_of_a_form_and_of_json(client):
    right = {"code": 200, "message": "Success", "data": "t007"}
    assert client.post("/ocr", files={"file": IMAGE}).json() == right
    assert client.post("/ocr", data={"image": B64, "probability": "false"}).json() == right
    assert client.post("/ocr", data={"image": f"data:image/png;base64,{B64}"}).json() == right
    found = client.post("/ocr", json={"image": B64, "png_fix": True}).json()
    assert found["success"] and found["data"]["text"] == found["text"] == "t007"
    assert client.post("/ocr", json={"image": B64, "probability": True}).status_code == 400
    assert client.post("/ocr", data={"image": B64, "charsets": "abc"}).json()["code"] == 400


def test_base64_with_spaces_for_plus_and_without_padding(client):
    image = next(data for data in map(png, range(20, 200)) if b"+" in base64.b64encode(data))
    text = base64.b64encode(image).decode().replace("+", " ").rstrip("=")
    assert client.post("/ocr/b64", content=text).text == client.post("/ocr/file", files={"image": image}).text != ""


# TensorFlow Serving


@pytest.mark.parametrize("row", [{"b64": B64}, {"image_bytes": {"b64": B64}}])
def test_instances(client, row):
    found = client.post("/v1/models/second:predict", json={"instances": [row, row]}).json()
    assert [each["text"] for each in found["predictions"]] == ["s007", "s007"]


def test_inputs(client):
    found = client.post("/v1/models/first:predict", json={"inputs": {"image_bytes": [{"b64": B64}]}}).json()
    assert without_id({name: value for name, [value] in found["outputs"].items()}) == FIRST
    assert client.get("/v1/models/first").json()["model_version_status"][0]["state"] == "AVAILABLE"


# statuses


@pytest.mark.parametrize(
    ("status", "path", "kwargs"),
    [
        (400, "/createTask", {"content": b"[" * 9_000}),
        (400, "/createTask", {"json": ["a list"]}),
        (400, "/v1/predict", {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}),
        (400, "/v1/predict", {"files": [("file", IMAGE)] * 65}),
        (400, "/v1/models/first:predict", {"json": {"instances": []}}),
        (400, "/v1/models/first:predict", {"json": {"instances": [B64]}}),
        (404, "/v1/predict", {"content": IMAGE, "params": {"model": "third"}}),
        (404, "/v1/models/third:predict", {"json": {"instances": [{"b64": B64}]}}),
        (404, "/nothing", {}),
        (413, "/v1/predict", {"content": bytes(20_001)}),
        (413, "/v1/predict", {"content": iter([bytes(15_000)] * 2)}),  # without Content-Length
        (413, "/v1/predict", {"content": bytes(300_000)}),  # more than is read
        (422, "/v1/predict", {"content": b""}),
        (422, "/v1/predict", {"content": b"no image"}),
        (422, "/v1/predict", {"content": IMAGE[:40]}),
        (422, "/v1/predict", {"content": png(7, 201, 100)}),  # more pixels than allowed
        (422, "/v1/predict", {"files": {}, "data": {"model": "first"}, "headers": None}),
        (422, "/v1/predict", {"content": png(14)}),
        (422, "/ocr/b64", {"content": b"%%%"}),
        (500, "/v1/predict", {"content": png(13)}),
    ],
)
def test_refusals(client, status, path, kwargs):
    response = client.post(path, **kwargs)
    assert response.status_code == status
    if path != "/ocr/b64":
        assert len(response.content.splitlines()) == 1


def test_the_message_names_the_reason(client):
    assert "more pixels" in client.post("/v1/predict", content=png(7, 201, 100)).json()["error"]
    assert "first, second" in client.post("/v1/predict?model=third", content=IMAGE).json()["error"]
    assert client.get("/v1/predict").status_code == 405


def test_an_image_bomb_and_a_long_animation(client):
    bomb = bytearray(IMAGE)
    bomb[16:24] = (50_000).to_bytes(4, "big") * 2  # the width and height that the header claims
    assert client.post("/v1/predict", content=bytes(bomb)).status_code == 422
    frames = [Image.new("P", (8, 8), i % 256) for i in range(300)]
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:])
    assert client.post("/v1/predict", content=data.getvalue()[:20_000]).status_code in (200, 422)


def test_a_bad_image_does_not_harm_the_others_of_its_batch(client, stub):
    stub.gate.clear()
    client.portal.start_task_soon(stub_opens_later, stub)
    files = [("file", (f"{value}.png", png(value))) for value in (1, 13, 14, 2)]
    found = client.post("/v1/predict", files=files).json()["predictions"]
    assert [each.get("text", each.get("status")) for each in found] == ["t001", 500, 422, "t002"]


async def stub_opens_later(stub):
    import asyncio

    await asyncio.sleep(0.05)
    stub.gate.set()


def test_a_full_queue_and_a_slow_reader(client, stub):
    """Five images for a queue of four, while the reader is blocked: one is refused at once, four after the timeout."""
    stub.gate.clear()
    try:
        files = [("file", (f"{value}.png", png(value))) for value in range(5)]
        found = client.post("/v1/predict", files=files).json()["predictions"]
        assert [each["status"] for each in found] == [504, 504, 504, 504, 503]
        assert client.post("/v1/predict", content=IMAGE).status_code == 503
        assert client.post("/v1/predict", content=IMAGE).headers["Retry-After"] == "1"
        assert client.get("/healthz").status_code == 503
    finally:
        stub.gate.set()
    for _ in range(50):
        if client.post("/v1/predict", content=IMAGE).json().get("text") == FIRST["text"]:
            break
    else:
        pytest.fail("the reader does not predict again")
    assert client.get("/healthz").json()["status"] == "ok"


# token


def test_a_token(locked):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic Sesam"}):
        response = locked.post("/v1/predict", content=IMAGE, headers=headers)
        assert response.status_code == 401 and "text" not in response.json()
    right = {"Authorization": "Bearer Sesam öffne dich".encode()}
    assert without_id(locked.post("/v1/predict", content=IMAGE, headers=right).json()) == FIRST
    assert locked.get("/metrics").status_code == 401
    assert locked.get("/healthz").status_code == 200


@pytest.mark.parametrize("key", [None, 1, "wrong", "\ud800"])
def test_a_wrong_client_key(locked, key):
    body = json.dumps({"clientKey": key, "task": {"type": "ImageToTextTask", "body": B64}})
    response = locked.post("/createTask", content=body)
    assert response.status_code == 401 and response.json()["errorCode"] == "ERROR_KEY_DOES_NOT_EXIST"
    assert locked.post("/in.php", files={"file": IMAGE}, data={"key": "x"}).text == "ERROR_KEY_DOES_NOT_EXIST"


def test_the_right_client_key(locked):
    key = "Sesam öffne dich"
    task = {"clientKey": key, "task": {"type": "ImageToTextTask", "body": B64}}
    assert locked.post("/createTask", json=task).json()["errorId"] == 0
    given = locked.post("/in.php", files={"file": IMAGE}, data={"key": key}).text
    assert locked.get("/res.php", params={"key": key, "id": given[3:]}).text == "OK|t007"
    assert locked.get("/res.php", params={"id": given[3:]}).text == "ERROR_KEY_DOES_NOT_EXIST"


# operation


def test_metrics(client):
    client.post("/v1/predict", content=png(240))
    text = client.get("/metrics").text
    for line in (
        'seqclr_requests_total{endpoint="/v1/predict",status="200"}',
        'seqclr_requests_total{endpoint="/v1/predict",status="413"}',
        'seqclr_request_seconds_count{endpoint="/v1/predict"}',
        'seqclr_confidence_count{model="first"}',
        'seqclr_predictions_refused_total{model="first"}',
    ):
        assert line in text


def test_the_description_names_every_endpoint(client):
    described = client.get("/openapi.json").json()
    hidden = {"/openapi.json", "/docs"}
    assert set(described["paths"]) == {each.path for each in ENDPOINTS} - hidden
    page = client.get("/docs").text
    assert all(path in page for path in described["paths"]) and all(text in page for text in REFUSALS.values())
    assert "http" not in page.replace("http-equiv", "")  # nothing from elsewhere


def test_ping(client):
    assert client.get("/ping").text == "pong"
