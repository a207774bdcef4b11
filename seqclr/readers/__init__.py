"""The readers that come with the package: runs that are found by name, such as `captcha`.

Each is a folder with the configuration, charset, threshold and best checkpoint of a run, in half precision, the same
reader as ONNX, and a card, README.md. benchmarks/release.py trains and writes them.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> list[str]:
    return sorted(path.parent.name for path in FOLDER.glob("*/config.yaml"))


NOT_FOUND = f"there is no such folder; the package has the reader {', '.join(names())}"


def is_released(path: str | Path) -> bool:
    """Whether a path is the name of a released reader, and not a run or an export in the working directory."""
    own = any((Path(path) / name).is_file() for name in ("config.yaml", "reader.json", "saved_model.pb"))
    return str(path) in names() and not own


def folder_of(path: str | Path) -> Path:
    """The folder of a released reader for its name; any other path as it is."""
    return FOLDER / path if is_released(path) else Path(path)
