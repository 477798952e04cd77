"""Packs iris and digits for the server, from the files that scikit-learn ships: a byte for each input of a row (iris in
tenths of a centimetre), and one for its class.

    .venv/bin/python tests/golden/real_data.py
"""

import csv
import gzip
import importlib.metadata
import io
from pathlib import Path

FOLDER = Path(__file__).parent.parent.parent / "src" / "engine" / "dataset"


def shipped(file: str) -> bytes:
    files = importlib.metadata.files("scikit-learn")
    return next(path for path in files if str(path) == f"sklearn/datasets/data/{file}").locate().read_bytes()


def whole(text: str, scale: int) -> int:
    value = float(text) * scale
    assert abs(value - round(value)) < 1e-9, text
    return round(value)


def packed(lines: list[list[str]], inputs: int, scale: int) -> bytes:
    return bytes(whole(value, scale if place < inputs else 1) for line in lines for place, value in enumerate(line))


if __name__ == "__main__":
    iris = list(csv.reader(io.StringIO(shipped("iris.csv").decode())))[1:]
    (FOLDER / "iris.bin").write_bytes(packed(iris, 4, 10))
    digits = list(csv.reader(io.StringIO(gzip.decompress(shipped("digits.csv.gz")).decode())))
    (FOLDER / "digits.bin").write_bytes(packed(digits, 64, 1))
