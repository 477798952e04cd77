"""Servers that are measured: started on one core, asked from another, and looked at through /proc."""

import json
import os
import re
import select
import subprocess
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / "target" / "bench" / "release"
BINARY = ROOT / "target" / "release" / "chainrule"
PYTHON = ROOT / ".tools" / "bench" / "bin" / "python"
TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]
START_SECONDS = 60
# Set on some machines for the sake of older OpenBLAS builds; they slow a current one.
PEER_ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") and not name.startswith("CHAINRULE_")
} | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Server:
    """A server in a process of its own, pinned to one core."""

    def __init__(self, command, cores=(SERVER_CORE,)):
        pin = ["taskset", "-c", ",".join(map(str, cores))]
        self.process = subprocess.Popen([*pin, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env=PEER_ENVIRONMENT, cwd=Path(__file__).parent)
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        found = re.search(r"http://([\d.]+:\d+)", line)
        if not found:
            self.process.kill()
            raise RuntimeError(f"{command[0]} did not start: {line!r}")
        self.url = f"http://{found[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def ask(self, method, path, body=None, headers=None):
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, content, {"content-type": "application/json", **(headers or {})}, method=method)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer.read()

    def get(self, path):
        return json.loads(self.ask("GET", path))

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, which="VmRSS"):
        """Bytes: VmRSS is what it holds now, VmHWM the most that it held."""
        found = re.search(rf"{which}:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(found[1]) * 1024


def chainrule(*arguments, store="memory", cores=(SERVER_CORE,)):
    return Server([BINARY, "--store", store, "--listen", "127.0.0.1:0", "--log", "off", *arguments], cores)


def bare():
    return Server([TOOLS / "bare", "127.0.0.1:0"])


def python_peer(name):
    return Server([PYTHON, Path("peers") / "server.py", name])


class Load:
    """What wrk saw, and what the server spent meanwhile."""

    def __init__(self, requests, seconds, p99, cpu):
        self.requests, self.rate, self.p99, self.cpu = requests, requests / seconds, p99, cpu / requests


LUA = """
local paths = {{{paths}}}
local at = 0
request = function()
  at = at % #paths + 1
  return wrk.format("POST", paths[at], {{["content-type"] = "application/json"}}, '{body}')
end
done = function(summary, latency)
  io.write(string.format("%d %d %.1f %d\\n", summary.requests, summary.duration, latency:percentile(99), summary.errors.status))
end
"""


def load(server, paths, body, connections, seconds):
    """Requests over so many connections, from the other core."""
    script = LUA.format(paths=", ".join(f'"{path}"' for path in paths), body=json.dumps(body))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        before = server.cpu_seconds()
        run = subprocess.run(
            ["taskset", "-c", str(CLIENT_CORE), "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", file.name, server.url],
            capture_output=True, text=True, check=True)
        spent = server.cpu_seconds() - before
    requests, micros, p99, wrong = run.stdout.strip().splitlines()[-1].split()
    if int(wrong) or int(requests) == 0:
        raise RuntimeError(f"{wrong} of {requests} requests were refused")
    return Load(int(requests), int(micros) / 1e6, float(p99) / 1e6, spent)


def tool(*arguments, cores=(SERVER_CORE,), given=None, python=False):
    """What a program prints."""
    program = [PYTHON, Path("peers") / arguments[0]] if python else [TOOLS / arguments[0]]
    command = ["taskset", "-c", ",".join(map(str, cores)), *map(str, program), *map(str, arguments[1:])]
    run = subprocess.run(command, input=given, capture_output=True, env=PEER_ENVIRONMENT, cwd=Path(__file__).parent, check=False)
    if run.returncode != 0:
        raise RuntimeError((run.stderr.decode().strip().splitlines() or ["it failed"])[-1])
    return json.loads(run.stdout)
