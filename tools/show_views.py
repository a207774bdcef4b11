"""`python tools/show_views.py` is `seqclr show-views`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("show-views")
