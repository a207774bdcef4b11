"""The error that a user can correct."""


class UserError(Exception):
    """The arguments or the data are wrong.

    The message is one sentence that names the file, row or key and the way out. The command line prints it on stderr
    and exits with 2; from Python it is an ordinary exception.
    """

    def __init__(self, message: str):
        super().__init__(printable(message))


def printable(text: str) -> str:
    """The text with unprintable characters escaped, as they could break the line or control the terminal."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def escaped(name: str) -> str:
    """A file name in UTF-8: the bytes of one that is not are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()
