"""`python tools/predict.py` is `seqclr predict`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("predict")
