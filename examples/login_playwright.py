"""Logs in where a form asks for the code of an image, with Playwright. Only for sites where you may log in.

    pip install . playwright
    python examples/login_page.py     # in another terminal; it needs the extra train
    python examples/login_playwright.py --url http://127.0.0.1:8080/ --user demo --password demo --model captcha

The browser is an installed Chromium, or Playwright's own, which `playwright install chromium` installs. Exit status: 0
logged in, 1 gave up before the account was locked, 2 could not try.
"""

import contextlib
import shutil
import sys
import urllib.request
from collections.abc import Iterator

import login
from playwright.sync_api import Error, Page, Response, sync_playwright


class Form:
    def __init__(self, page: Page, url: str, user: str, password: str):
        self.page, self.user, self.password = page, user, password
        self.received: dict[str, Response] = {}  # by address; the last one counts
        page.on("response", self.receive)
        page.goto(url)

    def receive(self, response: Response) -> None:
        if response.request.resource_type == "image":
            self.received[response.url] = response

    def image(self) -> bytes:
        """The body of the response that the browser shows, byte for byte."""
        image = self.page.locator(login.IMAGE)
        if not image.count():
            raise Error(f"{self.page.url} has no {login.IMAGE}")
        address = image.evaluate("image => image.currentSrc")
        if address.startswith("data:"):  # the image is part of the document
            return urllib.request.urlopen(address).read()
        if address not in self.received:
            raise Error(f"the browser shows no image for {login.IMAGE}")
        return self.received[address].body()

    def refresh(self) -> None:
        with self.page.expect_response(lambda response: response.request.resource_type == "image"):
            self.page.click(login.REFRESH)

    def submit(self, code: str) -> str:
        self.page.fill(login.USER, self.user)
        self.page.fill(login.PASSWORD, self.password)
        self.page.fill(login.CODE, code)
        with self.page.expect_navigation():
            self.page.click(login.SUBMIT)
        return self.page.inner_text(login.MESSAGE)


@contextlib.contextmanager
def open_form(url: str, user: str, password: str) -> Iterator[Form]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield Form(browser.new_page(), url, user, password)
        browser.close()


if __name__ == "__main__":
    sys.exit(login.main(__doc__.splitlines()[0], open_form))
