"""`python tools/show_views.py` is `seqclr show-views`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("show-views")
