"""The login page of the tests, with images that are labelled."""

import pytest
from login_page import labelled

from tests.deployment.logins import WatchedPage, serving


@pytest.fixture(scope="module")
def images(pages):
    return labelled(pages)


@pytest.fixture
def page(images):
    with serving(WatchedPage(images)) as page:
        yield page
