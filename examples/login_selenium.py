"""Logs in where a form asks for the code of an image, with Selenium. Only for sites where you may log in.

    pip install . selenium
    python examples/login_page.py     # in another terminal; it needs the extra train
    python examples/login_selenium.py --url http://127.0.0.1:8080/ --user demo --password demo --model captcha

The browser is an installed Chromium with its chromedriver, or what Selenium Manager finds. Exit status: 0 logged in, 1
gave up before the account was locked, 2 could not try.
"""

import base64
import contextlib
import os
import shutil
import sys
from collections.abc import Iterator

import login
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

# the loaded image on a canvas of its own size; null where the browser forbids to read an image of another site
CANVAS = """
const [image, done] = arguments;
image.decode().then(() => {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}).catch(() => null).then(done);
"""
# a variable of the page with the form, which the page with the answer does not have
MARK = "window.submitted = true"
ANSWERED = "return !window.submitted && document.readyState === 'complete'"


class Form:
    def __init__(self, driver: Chrome, url: str, user: str, password: str):
        self.driver, self.user, self.password = driver, user, password
        driver.get(url)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def image(self) -> bytes:
        """A PNG of the pixels that the browser loaded; a screenshot where it may not read them."""
        image = self.find(login.IMAGE)
        pixels = self.driver.execute_async_script(CANVAS, image)
        return base64.b64decode(pixels) if pixels else image.screenshot_as_png

    def refresh(self) -> None:
        self.find(login.REFRESH).click()  # the script of image() waits until the new one is loaded

    def submit(self, code: str) -> str:
        for selector, text in ((login.USER, self.user), (login.PASSWORD, self.password), (login.CODE, code)):
            self.find(selector).send_keys(text)
        self.driver.execute_script(MARK)
        self.find(login.SUBMIT).click()
        wait = WebDriverWait(self.driver, 30, ignored_exceptions=[WebDriverException])  # while the page changes
        wait.until(lambda driver: driver.execute_script(ANSWERED))
        return self.find(login.MESSAGE).text


def start() -> Chrome:
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    options.add_argument("--headless=new")
    options.add_argument("--disable-dev-shm-usage")  # /dev/shm is small in containers
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium has none for root
    return Chrome(options, ChromeService(shutil.which("chromedriver")))


@contextlib.contextmanager
def open_form(url: str, user: str, password: str) -> Iterator[Form]:
    with start() as driver:
        yield Form(driver, url, user, password)


if __name__ == "__main__":
    sys.exit(login.main(__doc__.splitlines()[0], open_form))
