"""What a user can mend is told in one sentence."""


class UserError(Exception):
    """The arguments or the data are wrong.

    The message is one sentence that names the file, row or key and the way out. The command line prints it on stderr
    and exits with 2; from Python it is an ordinary exception.
    """

    def __init__(self, message: str):
        super().__init__("".join(map(_printable, message)))


def _printable(character: str) -> str:
    """What a file's name or content brings along may break the line, or cannot be written at all."""
    return character if character.isprintable() else ascii(character)[1:-1]
