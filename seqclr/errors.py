"""What a user can mend is told in one sentence."""


class UserError(Exception):
    """The arguments or the data are wrong.

    The message is one sentence that names the file, row or key and the way out. The command line prints it on stderr
    and exits with 2; from Python it is an ordinary exception.
    """
