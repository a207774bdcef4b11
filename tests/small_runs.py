"""Commands as tests give them: on small images, for a moment."""

from seqclr import cli

SMALL = ["--batch-size", "16", "--processes", "0", "--precision", "float32", "height=16", "width=64", "views=none"]


def run(*words: object) -> None:
    assert cli.main([str(word) for word in words]) == 0
