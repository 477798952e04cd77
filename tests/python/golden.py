"""The fixtures of tests/golden, as their scripts left them."""

import gzip
from pathlib import Path

from recheck import parse

GOLDEN = Path(__file__).parent.parent / "golden"


def golden(name: str) -> dict:
    path = GOLDEN / name
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return parse(content.decode())
