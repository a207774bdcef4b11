"""The login page of the tests."""

import pytest

from tests.deployment.logins import WatchedPage, serving


@pytest.fixture
def page():
    with serving(WatchedPage("digits")) as page:  # PNG: a browser decodes it to the same pixels as Pillow
        yield page
