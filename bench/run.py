"""Measures chainrule against its peers, prints one table and writes it as JSON.

    run.py [--seconds N] [MEASURE ...]
"""

import argparse
import datetime
import json
import re
import subprocess
import sys
from pathlib import Path

from measures import MEASURES, Skipped
from processes import ROOT

RESULT = ROOT / "target" / "bench.json"


def machine():
    """The kind of machine, in a few words."""
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", text)
    return f"{len(re.findall(r'^processor', text, re.M))} cores of {model[1] if model else 'an unknown CPU'}"


def main():
    names = {measure.__name__: measure for measure in MEASURES}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3, help="how long each figure is taken for")
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"one of {', '.join(names)}; all if left out")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.measures if name not in names]
    if unknown:
        parser.error(f"there is no measure {unknown[0]}; there are {', '.join(names)}")
    rows, skipped = [], []
    for name in arguments.measures or names:
        print(f"… {name}: {names[name].__doc__.splitlines()[0]}", file=sys.stderr, flush=True)
        try:
            for row in names[name](arguments.seconds):
                rows.append(row)
                print(f"   {row.name}: {row.ratio:.2f}", file=sys.stderr, flush=True)
        except Skipped as word:
            skipped.append(f"{name}: {word}")
        except (RuntimeError, OSError, subprocess.SubprocessError) as problem:
            skipped.append(f"{name} stopped: {problem}")
        # After each measure: a run that is cut off keeps what it has.
        found = {"date": datetime.date.today().isoformat(), "machine": machine(), "skipped": skipped,
                 "rows": [{**vars(row), "reached": row.reached} for row in rows]}
        RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\n{found['date']}, {found['machine']}\n")
    print("| what | chainrule | peer | ratio | target |")
    print("|---|---|---|---|---|")
    for row in rows:
        sign = "≤" if row.most else "≥"
        print(f"| {row.name} | {row.ours} | {row.theirs} | {row.ratio:.2f}{'' if row.reached else ' ✗'} | {sign} {row.target:g} |")
    for word in skipped:
        print(f"\nskipped: {word}")
    print(f"\nAs JSON: {RESULT.relative_to(ROOT)}")


main()
