"""A login form with a captcha on this machine, to try login_playwright.py and login_selenium.py on.

    pip install ".[train]"
    python examples/login_page.py [--style login] [--port 8080]

Every load of the image draws a new code, for one submit, with the generator of `seqclr synth`. Five wrong tries lock an
account. The generator's packages are in the extra train; it does not import TensorFlow.
"""

import argparse
import functools
import html
import io
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from seqclr.errors import UserError
from seqclr.extras import required

LOCKED = 5  # wrong tries in a row
PNG = b"\x89PNG"  # the first bytes of a file; the generator's other format is JPEG

FORM = """<!doctype html>
<title>Sign in</title>
<style>body {{ font: 16px sans-serif; margin: 3em }} label {{ display: block; margin: .5em 0 }}</style>
<h1>Sign in</h1>
<p id="message">{message}</p>
<form method="post" action="/">
<label>User <input id="user" name="user" autocomplete="off"></label>
<label>Password <input id="password" name="password" type="password"></label>
<label>Code <input id="code" name="code" autocomplete="off"></label>
<img id="captcha" src="/captcha" alt="code">
<a id="refresh" href="/" onclick="document.images[0].src = '/captcha?' + Date.now(); return false">Another image</a>
<p><button id="submit">Sign in</button></p>
</form>
"""
ANSWER = """<!doctype html>
<title>{message}</title>
<p id="message">{message}</p>
"""


class LoginPage(ThreadingHTTPServer):
    """The server. draw: a new image, the file and its text. accounts: `{user: password}`. Port 0 is any free port."""

    def __init__(self, draw: Callable[[], tuple[bytes, str]], accounts: dict[str, str], port: int = 0):
        self.draw, self.accounts = draw, accounts
        self.codes: dict[str, str] = {}  # by session: the text of the image that was loaded last
        self.wrong: Counter[str] = Counter()  # by user: wrong tries since the last login
        self.one_at_a_time = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def load(self, session: str) -> bytes:
        """The file of an image with a new code for the session."""
        file, self.codes[session] = self.draw()
        return file

    def check(self, session: str, user: str, password: str, code: str) -> tuple[HTTPStatus, str]:
        """The answer to a submit."""
        with self.one_at_a_time:
            right = self.codes.pop(session, None)
            if self.wrong[user] >= LOCKED:
                return HTTPStatus.FORBIDDEN, f"Locked after {LOCKED} wrong tries."
            self.wrong[user] += 1
            if code != right:
                return HTTPStatus.OK, "The code is wrong."
            if self.accounts.get(user) != password:
                return HTTPStatus.OK, "User or password is wrong."
            del self.wrong[user]
            return HTTPStatus.OK, f"Signed in as {user}."


class Handler(BaseHTTPRequestHandler):
    server: LoginPage

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/":
            self.answer(HTTPStatus.OK, FORM.format(message="").encode())
        elif path == "/captcha":
            file = self.server.load(self.session)
            self.answer(HTTPStatus.OK, file, f"image/{'png' if file.startswith(PNG) else 'jpeg'}")
        else:
            self.answer(HTTPStatus.NOT_FOUND, b"not found", "text/plain")

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 10_000))
        fields = parse_qs(body.decode(errors="replace"))
        given = [fields.get(name, [""])[0] for name in ("user", "password", "code")]
        status, message = self.server.check(self.session, *given)
        again = status == HTTPStatus.OK and not message.startswith("Signed in")
        page = FORM if again else ANSWER
        self.answer(status, page.format(message=html.escape(message)).encode())

    @functools.cached_property
    def session(self) -> str:
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("session")
        return cookie.value if cookie else secrets.token_hex(8)

    def answer(self, status: HTTPStatus, body: bytes, kind: str = "text/html; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Set-Cookie", f"session={self.session}; HttpOnly; SameSite=Strict")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def generator(style: str) -> Callable[[], tuple[bytes, str]]:
    """Draws images in a style, a preset or a YAML file. Raises UserError where it or a package is missing."""
    with required("the login page"):
        import numpy as np

        from seqclr.synthesis import drawing, encoding, styles
    look = styles.load_style(style)

    def draw() -> tuple[bytes, str]:
        image, text = drawing.draw(look, np.random.default_rng())
        file = io.BytesIO()
        encoding.save(look, image, file)
        return file.getvalue(), text

    return draw


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--style", default="login", help="a preset of `seqclr synth` or a YAML file (default: login)")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--user", default="demo")
    parser.add_argument("--password", default="demo")
    given = parser.parse_args()
    try:
        page = LoginPage(generator(given.style), {given.user: given.password}, given.port)
    except (UserError, OSError, OverflowError) as error:
        parser.error(str(error))
    print(f"{page.url}: user {given.user}, password {given.password}. Ctrl-C ends it.", flush=True)
    try:
        page.serve_forever()
    except KeyboardInterrupt:
        pass
