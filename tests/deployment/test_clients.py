"""The real clients of services for captchas, with nothing changed but the host."""

import base64

import capsolver
import pytest
from capsolver.capsolver import Capsolver
from python_anticaptcha import AnticaptchaClient, AnticaptchaException, ImageToTextTask

from seqclr.serve.options import Options
from tests.deployment.serving import Stub, png, running, service_of

KEY = "the token of the server"


@pytest.fixture(scope="module")
def port():
    options = Options(port=0, token=KEY)
    with running(service_of(options, first=Stub(), second=Stub("s")), options) as port:
        yield port


@pytest.fixture
def solver(port, monkeypatch):
    monkeypatch.setattr(capsolver, "api_base", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(capsolver, "api_key", KEY)
    return capsolver


def task_of(value: int, **more) -> dict:
    return {"type": "ImageToTextTask", "body": base64.b64encode(png(value)).decode(), **more}


def test_python_anticaptcha(port):
    with AnticaptchaClient(KEY, host=f"127.0.0.1:{port}", use_ssl=False) as client:
        assert client.getBalance() > 0
        job = client.createTask(ImageToTextTask(png(21), case=True, min_length=4))
        job.join()
        assert job.get_captcha_text() == "t021"
        assert job.get_solution()["accept"] is True
        assert job.report_incorrect_image() is True
        assert job.report_incorrect_image() is True  # again: nothing changes


def test_python_anticaptcha_gets_its_own_errors(port):
    with AnticaptchaClient("wrong", host=f"127.0.0.1:{port}", use_ssl=False) as client:
        with pytest.raises(AnticaptchaException) as caught:
            client.createTask(ImageToTextTask(png(21)))
        assert caught.value.error_code == "ERROR_KEY_DOES_NOT_EXIST"
    with AnticaptchaClient(KEY, host=f"127.0.0.1:{port}", use_ssl=False) as client:
        with pytest.raises(AnticaptchaException) as caught:
            client.createTask(ImageToTextTask(b"no image"))
        assert caught.value.error_code == "ERROR_IMAGE_TYPE_NOT_SUPPORTED"


def test_capsolver(solver):
    assert solver.solve(task_of(22))["text"] == "t022"
    assert solver.solve(task_of(22, module="common"))["text"] == "t022"  # a model of the service, not of this server
    assert solver.solve(task_of(22, module="second"))["text"] == "s022"
    assert solver.balance()["balance"] > 0
    told = {"taskId": solver.solve(task_of(22))["id"], "result": {"invalid": False}}
    assert Capsolver().request("post", "/feedbackTask", told)["errorId"] == 0  # the client has no name for it


def test_capsolver_gets_its_own_errors(solver, monkeypatch):
    with pytest.raises(solver.UnknownError, match="HCaptcha|ImageToTextTask"):
        solver.solve({"type": "HCaptchaTask"})
    monkeypatch.setattr(solver, "api_key", "wrong")
    with pytest.raises(solver.AuthenticationError):
        solver.solve(task_of(22))
