"""The login page of the examples, without a browser."""

import http.cookiejar
import urllib.parse
import urllib.request
from urllib.error import HTTPError

import pytest
from login_page import LOCKED, generator

from seqclr.errors import UserError
from tests.deployment.logins import ACCOUNT, pixels


class Visitor:
    """Loads the image and submits codes, with cookies."""

    def __init__(self, page):
        self.page = page
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
        self.opener.open(page.url).close()

    def code(self):
        with self.opener.open(f"{self.page.url}captcha") as response:
            return self.page.texts[pixels(response.read())]

    def submit(self, code, password=ACCOUNT[1]):
        fields = {"user": ACCOUNT[0], "password": password, "code": code}
        try:
            with self.opener.open(self.page.url, urllib.parse.urlencode(fields).encode()) as response:
                return response.read().decode()
        except HTTPError as error:
            with error:
                return error.read().decode()


@pytest.fixture
def visitor(page):
    return Visitor(page)


def test_a_code_is_of_the_last_image_and_for_one_submit(visitor, page):
    codes = [visitor.code() for _ in range(12)]
    assert len(set(page.shown)) == len(codes)  # every load draws another image
    first = next(code for code in codes if code != codes[-1])
    assert "The code is wrong" in visitor.submit(first)
    assert "The code is wrong" in visitor.submit(codes[-1])  # the failed submit has used it up
    code = visitor.code()
    assert "Signed in as user" in visitor.submit(code) and page.wrong[ACCOUNT[0]] == 0
    assert "The code is wrong" in visitor.submit(code)


def test_a_session_of_another_visitor_is_another_code(visitor, page):
    other = Visitor(page)
    code = visitor.code()
    while other.code() == code:
        pass
    assert "Signed in" in visitor.submit(code)


def test_five_wrong_tries_lock_the_account(visitor):
    for _ in range(LOCKED - 1):
        assert "User or password is wrong" in visitor.submit(visitor.code(), password="no")
    assert "The code is wrong" in visitor.submit("no")
    assert "Locked after 5 wrong tries" in visitor.submit(visitor.code())


def test_a_login_forgets_wrong_tries(visitor):
    for _ in range(2):
        for _ in range(LOCKED - 1):
            visitor.submit("no")
        assert "Signed in" in visitor.submit(visitor.code())


def test_codes_are_not_predictable():
    first, second = (generator("login") for _ in range(2))  # as of a page that was started twice
    assert len({draw() for draw in (first, first, second, second)}) == 4


def test_an_unknown_style_is_refused():
    with pytest.raises(UserError, match="no style 'none': give a YAML file or one of digits"):
        generator("none")
