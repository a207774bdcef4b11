"""A login form with a captcha on this machine, to try login_playwright.py and login_selenium.py on.

    python examples/login_page.py [--images data_samples] [--port 8080]

Every load of the image is a new code, for one submit. Five wrong tries lock an account. The images are those of a
folder with labels.csv, such as `seqclr synth` writes.
"""

import argparse
import csv
import functools
import html
import secrets
import threading
from collections import Counter
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SAMPLES = Path(__file__).resolve().parent.parent / "data_samples"
LOCKED = 5  # wrong tries in a row

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
    """The server: images `[(file, text)]`, accounts `{user: password}`. Port 0 is any free port."""

    def __init__(self, images: list[tuple[Path, str]], accounts: dict[str, str], port: int = 0):
        self.images, self.accounts = images, accounts
        self.codes: dict[str, str] = {}  # by session: the text of the image that was loaded last
        self.wrong: Counter[str] = Counter()  # by user: wrong tries since the last login
        self.one_at_a_time = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def draw(self, session: str) -> Path:
        """A file with a new code for the session."""
        file, self.codes[session] = secrets.choice(self.images)
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
            file = self.server.draw(self.session)
            self.answer(HTTPStatus.OK, file.read_bytes(), f"image/{'png' if file.suffix == '.png' else 'jpeg'}")
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


def labelled(folder: Path) -> list[tuple[Path, str]]:
    """The files and texts of a folder with labels.csv and images/. Raises ValueError if there are none."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as table:
        rows = csv.DictReader(table)
        found = [(folder / "images" / row["file"], row["text"]) for row in rows if {"file", "text"} <= row.keys()]
    if not found or not found[0][0].is_file():
        raise ValueError(f"{folder} holds no images as `seqclr synth` writes them: images/ and labels.csv (file,text)")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, default=SAMPLES, help="folder with labels.csv; default: data_samples")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--user", default="demo")
    parser.add_argument("--password", default="demo")
    given = parser.parse_args()
    try:
        page = LoginPage(labelled(given.images), {given.user: given.password}, given.port)
    except (OSError, ValueError, OverflowError) as error:
        parser.error(str(error))
    print(f"{page.url}: user {given.user}, password {given.password}. Ctrl-C ends it.", flush=True)
    try:
        page.serve_forever()
    except KeyboardInterrupt:
        pass
