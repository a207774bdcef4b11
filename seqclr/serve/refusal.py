"""Why a request gets no prediction."""

from seqclr.errors import printable


class Refusal(Exception):
    """A request that is refused.

    status: the HTTP status: 400 the request is malformed, 401 wrong token, 404 unknown reader or task, 408 the request
    arrives too slowly, 409 a report that contradicts an earlier one, 413 too many bytes, 422 no image that can be read,
    500 the reader or the server failed, 501 a task of another type, 503 the queue is full, 504 no prediction in time.
    message: one sentence.
    """

    def __init__(self, status: int, message: str):
        super().__init__(printable(message))
        self.status = status
