"""A folder of images with a table."""

from pathlib import Path

import pytest

from tests.data.test_discovery import draw, write


@pytest.fixture
def folder(tmp_path) -> Path:
    """a and b are to train on, c is to test on, d is in no list."""
    data = tmp_path / "data"
    for i, name in enumerate("abcd"):
        draw(data / "images" / f"{name}.png", 10 * i)
    write(data / "labels.csv", "file,text,split\na.png,one,train\nb.png,two,train\nc.png,three,test\n")
    return data
