"""`python tools/embed.py` is `seqclr embed`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("embed")
