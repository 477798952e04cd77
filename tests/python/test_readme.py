"""Every curl of the README, pasted into a shell, with the very answer that the README shows.

A block of `sh` that starts with curl is run; the block of `json` behind it is what must come back.
"""

import json
import re
import subprocess
from pathlib import Path

README = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8080"


def conversations() -> list[tuple[str, str]]:
    blocks = BLOCK.findall(README)
    pairs = zip(blocks, blocks[1:], strict=False)
    return [
        (command, answer)
        for (kind, command), (next_kind, answer) in pairs
        if kind == "sh" and command.startswith("curl") and next_kind == "json"
    ]


def test_the_readme_has_curls_with_answers():
    assert len(conversations()) >= 4
    assert all(ADDRESS in command for command, _ in conversations())


def test_each_curl_answers_what_the_readme_shows(server):
    """In the order of the README, by one test: a session is made before it is asked."""
    for command, shown in conversations():
        line = command.replace(ADDRESS, server.base_url)
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=60)
        assert json.loads(done.stdout) == json.loads(shown), command
