"""What the tests of the login examples share: the login page on a thread, browsers, and readers that know the texts."""

import contextlib
import io
import shutil
import threading
from collections.abc import Callable, Iterator

import login
import numpy as np
import pytest
from login_page import LoginPage, generator
from PIL import Image

ACCOUNT = ("user", "secret")
MISSING = [program for program in ("chromium", "chromedriver") if not shutil.which(program)]
needs_chromium = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


class WatchedPage(LoginPage):
    """The login page of the examples; it keeps what it answered.

    shown: the files of the images. texts: their texts, by the pixels.
    """

    def __init__(self, style: str):
        super().__init__(generator(style), dict([ACCOUNT]))
        self.shown: list[bytes] = []
        self.texts: dict[bytes, str] = {}
        self.messages: list[str] = []

    def load(self, session):
        file = super().load(session)
        self.shown.append(file)
        self.texts[pixels(file)] = self.codes[session]
        return file

    def check(self, *given):
        status, message = super().check(*given)
        self.messages.append(message)
        return status, message


@contextlib.contextmanager
def serving(server) -> Iterator:
    """The HTTP server, answering on a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    with server:
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def pixels(image: bytes) -> bytes:
    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB")).tobytes()


def scripted(texts: dict[bytes, str], script: str) -> Callable[[bytes], login.Prediction]:
    """A reader that knows the texts: r is a right prediction, w a wrong one, u an unsure one; the last one repeats."""
    steps = iter(script)
    last = script[-1]

    def predict(image: bytes) -> login.Prediction:
        step, text = next(steps, last), texts[pixels(image)]
        return login.Prediction(text if step == "r" else "none", 0.2 if step == "u" else 0.9, step != "u")

    return predict


@contextlib.contextmanager
def playwright_forms() -> Iterator[Callable[[str], login.Form]]:
    """Opens the form of a URL, each time as a new visitor, in one browser."""
    module = pytest.importorskip("login_playwright", exc_type=ImportError)
    with module.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))

        def open_form(url: str) -> login.Form:
            for context in browser.contexts:
                context.close()
            return module.Form(browser.new_context().new_page(), url, *ACCOUNT)

        yield open_form
        browser.close()


@contextlib.contextmanager
def selenium_forms() -> Iterator[Callable[[str], login.Form]]:
    module = pytest.importorskip("login_selenium", exc_type=ImportError)
    with module.start() as driver:

        def open_form(url: str) -> login.Form:
            driver.delete_all_cookies()
            return module.Form(driver, url, *ACCOUNT)

        yield open_form


FORMS = {"playwright": playwright_forms, "selenium": selenium_forms}
