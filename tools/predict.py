"""`python tools/predict.py` is `seqclr predict`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("predict")
