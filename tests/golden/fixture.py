"""How a golden file is written: beside its script, readable, with what made it; the same bytes at every run."""

import gzip
import json
import platform
import re
from importlib.metadata import version
from pathlib import Path


def made_by(script: str, *packages: str) -> dict[str, str]:
    """Who made a fixture: the script, and the versions that could have an influence."""
    return {
        "script": f"tests/golden/{Path(script).name}",
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def write(name: str, document: dict) -> None:
    """Floats as `repr` (the shortest text that reads back as the same double), a row of numbers on one line."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    innermost_list = re.compile(r"\[\s+([^\[\]{}]*?)\s+\]")
    text = innermost_list.sub(lambda found: "[" + " ".join(found[1].split()) + "]", text)
    _put(name, f"{text}\n".encode())


def write_packed(name: str, head: dict, key: str, items: list) -> None:
    """For many numbers: each item on one line without spaces, and packed. `zcat` shows it."""
    lines = [json.dumps(item, ensure_ascii=False, allow_nan=False, separators=(",", ":")) for item in items]
    text = json.dumps(head, ensure_ascii=False)
    text = f'{text[:-1]}, "{key}": [\n' + ",\n".join(lines) + "\n]}\n"
    # Without the time of day, so that the same numbers are the same file.
    _put(name, gzip.compress(text.encode(), compresslevel=9, mtime=0))


def _put(name: str, content: bytes) -> None:
    path = Path(__file__).with_name(name)
    path.write_bytes(content)
    print(f"{path.name}: {path.stat().st_size:,} bytes")
