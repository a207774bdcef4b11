"""What is settled before a training's first step."""

from seqclr.config import PretrainConfig, resolve
from seqclr.data import images
from seqclr.engine import setup
from seqclr.methods import find_method


def test_the_limits_of_files_are_keys():
    method = find_method("simclr")
    values = {"max_bytes": 5, "max_pixels": "6", "max_frames": 7}
    setup.check(resolve(PretrainConfig, method, [values]), method)
    assert images.get_limits() == images.Limits(5, 6, 7)
    setup.check(resolve(PretrainConfig, method), method)
    assert images.get_limits() == images.Limits()
