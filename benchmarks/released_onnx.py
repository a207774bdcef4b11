"""Writes the ONNX of a reader of the package beside its checkpoint: model.onnx and reader.json.

    python benchmarks/released_onnx.py seqclr/readers/captcha

Run it again whenever the checkpoint or decision.json of the reader has changed. Uses `seqclr export`, which compares
the texts of the ONNX with those of the checkpoint.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from commands import seqclr

from seqclr.runtime.folder import FORMATS, NAME


def write(reader: Path) -> None:
    with tempfile.TemporaryDirectory() as beside:
        folder = Path(beside) / "onnx"
        seqclr("export", "--model", reader, "--format", "onnx", "--output", folder)
        for name in (FORMATS["onnx"], NAME):
            shutil.move(folder / name, reader / name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reader", type=Path, help="folder of the reader")
    write(parser.parse_args().reader)
