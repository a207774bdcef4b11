"""`python tools/embed.py` is `seqclr embed`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("embed")
