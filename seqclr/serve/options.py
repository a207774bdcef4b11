"""Options of the server, which the command line needs before the extra `serve` is looked for."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Options:
    """Where the server listens, and its limits.

    port: 0 takes any that is free. token: required of every request, if given. certificate, key: PEM files of TLS;
    without a certificate, it is HTTP. max_bytes: of a request. max_pixels: of an image. queue: images that wait for a
    reader. timeout: seconds for receiving a request, and then for predicting its images. keep: a folder for images with
    feedback, if given. keep_bytes, keep_days: of the images of each reader there.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    certificate: str | None = None
    key: str | None = None
    max_bytes: int = 10_000_000
    max_pixels: int = 4_000_000
    queue: int = 256
    timeout: float = 10.0
    keep: str | None = None
    keep_bytes: int = 1_000_000_000
    keep_days: float = 90.0
