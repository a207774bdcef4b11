"""When the login examples ask for another image, and when they stop; in memory, then in both browsers."""

import base64
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import textwrap
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import login
import pytest
from login_page import LOCKED

from tests.deployment.logins import (
    ACCOUNT,
    FORMS,
    needs_chromium,
    pixels,
    scripted,
    serving,
)

EXAMPLES = Path(login.__file__).parent
IMAGE = sorted((EXAMPLES.parent / "data_samples" / "images").iterdir())[0].read_bytes()


class FakeForm:
    """A form with one image."""

    def __init__(self, message="The code is wrong."):
        self.message, self.images, self.codes = message, 0, []

    def image(self):
        self.images += 1
        return IMAGE

    def refresh(self):
        pass

    def submit(self, code):
        self.codes.append(code)
        return "Signed in as user." if code == "right" else self.message


@pytest.mark.parametrize(
    ("script", "message", "images", "codes", "told"),
    [
        ("uuwur", "The code is wrong.", 5, 2, "Signed in"),
        ("w", "The code is wrong.", 4, 4, "Gave up after 4 wrong codes"),
        ("wuwuwuwur", "The code is wrong.", 7, 4, "Gave up after 4 wrong codes"),
        ("u", "The code is wrong.", login.IMAGES, 0, "Gave up after 20 images"),
        ("w", "User or password is wrong.", 1, 1, "does not ask for another code"),
        ("w", "Locked after 5 wrong tries.", 1, 1, "does not ask for another code"),
    ],
)
def test_it_refreshes_submits_and_stops(script, message, images, codes, told, capsys):
    form = FakeForm(message)
    assert login.log_in(form, scripted({pixels(IMAGE): "right"}, script)) == (told == "Signed in")
    assert (form.images, len(form.codes)) == (images, codes)
    assert told in capsys.readouterr().out.splitlines()[-1]


def test_a_reader_in_this_process_fills_the_form():
    form, predict = FakeForm(), login.reader_of("captcha")
    assert not login.log_in(form, predict)
    assert predict(IMAGE).id is None and form.codes == [predict(IMAGE).text] * len(form.codes)


def test_the_last_submit_is_one_before_the_lock_out():
    assert login.SUBMITS == LOCKED - 1


@pytest.fixture(scope="module", params=FORMS)
def open_form(request):
    with FORMS[request.param]() as open_form:
        yield open_form


@needs_chromium
def test_a_browser_refreshes_and_submits(open_form, page):
    """The reader knows an image by its exact pixels, so the form hands over what the browser received."""
    form = open_form(page.url)
    assert login.log_in(form, scripted(page.texts, "uwuwr"))
    assert page.messages == ["The code is wrong."] * 2 + ["Signed in as user."]
    assert len(page.shown) == 5  # one load for each image that was predicted, and none besides
    assert page.wrong[ACCOUNT[0]] == 0


@needs_chromium
def test_a_browser_stops_before_the_lock_out(open_form, page, capsys):
    assert not login.log_in(open_form(page.url), scripted(page.texts, "uw"))
    assert page.messages == ["The code is wrong."] * login.SUBMITS
    assert "another one may lock the account" in capsys.readouterr().out
    assert login.log_in(open_form(page.url), scripted(page.texts, "r"))  # the last try, by hand


@needs_chromium
def test_files_and_screenshots(page):
    """Playwright hands over the file itself, or that in the document. Selenium takes a screenshot of what a canvas may
    not read, which is an image of another site."""
    with FORMS["playwright"]() as open_form:
        form = open_form(page.url)
        assert form.image() == page.shown[-1]
        form.page.evaluate("document.images[0].src = 'data:image/png;base64,iVBORw0KGgo='")
        assert form.image() == b"\x89PNG\r\n\x1a\n"
    with FORMS["selenium"]() as open_form:
        form = open_form(page.url)
        form.driver.execute_script(f"document.images[0].src = 'http://localhost:{page.server_port}/captcha'")
        assert pixels(form.image()) == pixels(page.shown[-1])


def documented(language):
    """The first code of a language in the documentation."""
    text = (EXAMPLES.parent / "docs/howto/login.md").read_text(encoding="utf-8")
    return textwrap.dedent(re.search(rf"( *)```{language}\n(.+?)```", text, re.DOTALL)[2])


@needs_chromium
def test_the_script_of_the_documentation_reads_the_image(page):
    script = documented("javascript")
    with FORMS["selenium"]() as open_form:
        form = open_form(page.url)
        drawn = form.driver.execute_script(f"return ({script})(document.querySelector('#captcha'))")
    assert pixels(base64.b64decode(drawn)) == pixels(page.shown[-1])


class Answers(BaseHTTPRequestHandler):
    """A server of predictions that knows the texts, and keeps the feedback."""

    feedback: list[dict] = []

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/feedback":
            self.feedback.append(json.loads(data))
            known, body = True, {}
        else:
            text = self.server.texts.get(pixels(data))
            known = self.path == "/v1/predict" and text is not None
            body = (
                {"text": text, "confidence": 0.9, "accept": True, "id": 12} if known else {"error": "an unknown image"}
            )
        self.send_response(200 if known else 422)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def server(page):
    with serving(HTTPServer(("127.0.0.1", 0), Answers)) as server:
        server.texts = page.texts
        yield f"http://127.0.0.1:{server.server_port}"


def test_the_function_of_the_documentation_asks_the_server(server, page, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    names = {}
    exec(documented("python").replace("http://127.0.0.1:8000", server), names)
    file = page.load("a session")
    assert names["predict"](base64.b64encode(file).decode())["text"] == page.codes["a session"]


@pytest.fixture(scope="module")
def nowhere():
    """An address at which no server listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}/"


@pytest.mark.parametrize(
    ("reader", "told"),
    [
        (["--server", "nowhere"], "Connection refused"),
        (["--server", "server"], '/v1/predict: 422 {"error": "an unknown image"}'),
        (["--model", "captch"], "captch"),
        ([], "one of the arguments --model --server is required"),
    ],
)
def test_without_a_reader_it_says_so(reader, told, request, monkeypatch, capsys):
    addresses = {name: request.getfixturevalue(name) for name in ("server", "nowhere")}
    words = ["--url", "unused", "--user", "u", "--password", "p", *[addresses.get(word, word) for word in reader]]
    monkeypatch.setattr(sys, "argv", ["login", *words])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(SystemExit) as ended:
        login.main("a test", lambda *_: contextlib.nullcontext(FakeForm()))
    assert ended.value.code == 2 and told in capsys.readouterr().err


@pytest.mark.parametrize(("message", "status"), [("Signed in as u.", 0), ("The code is wrong.", 1)])
def test_the_exit_status_says_whether_it_logged_in(message, status, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["login", *"--url unused --user u --password p --model captcha".split()])
    monkeypatch.setattr(login, "reader_of", lambda model: scripted({pixels(IMAGE): "right"}, "w"))
    assert login.main("a test", lambda *_: contextlib.nullcontext(FakeForm(message))) == status


@needs_chromium
@pytest.mark.parametrize("name", ["login_playwright", "login_selenium"])
def test_the_command_line(name, page, server, nowhere):
    pytest.importorskip(name, exc_type=ImportError)
    account = ["--user", ACCOUNT[0], "--password", ACCOUNT[1], "--server", server]

    def run(url):
        command = [sys.executable, EXAMPLES / f"{name}.py", "--url", url, *account]
        environment = {**os.environ, "no_proxy": "127.0.0.1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    done = run(page.url)
    assert done.returncode == 0 and done.stdout.endswith("submitted. Signed in as user.\n"), done.stderr
    assert Answers.feedback.pop() == {"id": 12, "accepted": True}
    done = run(nowhere)
    assert done.returncode == 2 and "ERR_CONNECTION_REFUSED" in done.stderr and "Traceback" not in done.stderr
