"""`python tools/show_task.py` is `seqclr show-task`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("show-task")
