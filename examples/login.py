"""Logs in where a form asks for the code of an image: what login_playwright.py and login_selenium.py share.

Only for sites where you may log in. The names below are those of login_page.py: change them to your site's.
"""

import argparse
import functools
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

USER, PASSWORD, CODE = "#user", "#password", "#code"  # CSS selectors
IMAGE, REFRESH, SUBMIT, MESSAGE = "#captcha", "#refresh", "#submit", "#message"
SIGNED_IN, WRONG_CODE = "Signed in", "code is wrong"  # parts of the site's message

SUBMITS = 4  # in one run: one fewer than the wrong tries that lock an account
IMAGES = 20  # in one run


class Prediction(NamedTuple):
    """What the reader says about an image. accept: whether submitting is better than asking for another image.

    id: of the answer of a server, for feedback.
    """

    text: str
    confidence: float
    accept: bool
    id: int | None = None


class Form(Protocol):
    """The form in a browser."""

    def image(self) -> bytes:
        """The file of the image that is shown. Its address is not fetched again: that would be another code."""

    def refresh(self) -> None:
        """Asks for another image."""

    def submit(self, code: str) -> str:
        """Types user, password and code and submits them. Returns the site's message."""


def log_in(
    form: Form, predict: Callable[[bytes], Prediction], report: Callable[[int, bool], None] | None = None
) -> bool:
    """Whether the login succeeded. Stops before wrong codes lock the account, and at any other message.

    report: is given the id of each answer that was submitted, and whether the page accepted its code.
    """
    wrong = 0
    for _ in range(IMAGES):
        text, confidence, accept, number = predict(form.image())
        print(f"'{text}', confidence {confidence:.2f}: ", end="")
        if not accept:
            print("refused, another image")
            form.refresh()
            continue
        message = form.submit(text)
        print(f"submitted. {message}", flush=True)
        if report and number is not None and (SIGNED_IN in message or WRONG_CODE in message):
            report(number, SIGNED_IN in message)
        if SIGNED_IN in message:
            return True
        if WRONG_CODE not in message:
            print("Gave up: the site does not ask for another code.")
            return False
        wrong += 1
        if wrong == SUBMITS:
            print(f"Gave up after {wrong} wrong codes: another one may lock the account. Log in by hand now.")
            return False
    print(f"Gave up after {IMAGES} images. A reader adapted to this site is surer: seqclr adapt --help")
    return False


def ask(server: str, image: bytes) -> Prediction:
    """The prediction of `seqclr serve`."""
    answer = post(f"{server.rstrip('/')}/v1/predict", image, "image/*")
    return Prediction(answer["text"], answer["confidence"], answer["accept"], answer["id"])


def tell(server: str, number: int, accepted: bool) -> None:
    """Tells `seqclr serve` whether the page accepted the code of an answer: the reader learns from it."""
    data = json.dumps({"id": number, "accepted": accepted}).encode()
    post(f"{server.rstrip('/')}/v1/feedback", data, "application/json")


def post(url: str, data: bytes, kind: str) -> dict:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, {"Content-Type": kind}), timeout=30) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(f"{url}: {error.code} {error.read(1000).decode(errors='replace')}") from None


def reader_of(model: str) -> Callable[[bytes], Prediction]:
    """The prediction of a run, an export or a reader of the package, in this process."""
    import seqclr  # not needed to ask a server

    reader = seqclr.load(model)
    return lambda image: Prediction(*reader.predict([image])[0])


def main(description: str, open_form: Callable[[str, str, str], AbstractContextManager[Form]]) -> int:
    """The command line. Returns 0 when logged in, 1 when it gave up before a lock-out; wrong arguments exit with 2."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--url", required=True, help="the login form")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    reader = parser.add_mutually_exclusive_group(required=True)
    reader.add_argument("--model", help="a run, an export, or captcha, the reader of the package")
    reader.add_argument("--server", help="the address of a running `seqclr serve`")
    given = parser.parse_args()
    try:
        predict = functools.partial(ask, given.server) if given.server else reader_of(given.model)
        with open_form(given.url, given.user, given.password) as form:
            report = functools.partial(tell, given.server) if given.server else None
            return 0 if log_in(form, predict, report) else 1
    except Exception as error:  # of the reader, the server or the browser
        first = next(iter(str(error).strip().splitlines()), "")
        parser.error(f"{type(error).__name__}: {first}")
