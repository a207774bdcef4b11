"""Hashes of images and names, the same on every machine and in every process. Host side."""

from __future__ import annotations

import hashlib

from seqclr.data.samples import Sample


def content_digest(sample: Sample) -> int:
    """A digest of 63 bits of an image file. Raises UserError where it cannot be read."""
    return _digest(sample.read_bytes()) >> 1


def uniform(name: str) -> float:
    """A number in [0, 1): an image whose number is below a share belongs to that share, whatever other images exist."""
    return (_digest(name.encode(errors="surrogatepass")) >> 11) / 2**53


def _digest(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
