"""How a golden file is written: beside its script, readable, with what made it; the same bytes at every run."""

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
    path = Path(__file__).with_name(name)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")
