"""What is measured. Each measure yields rows; figures that are compared were taken in turns, and the ratio is the median
of those of each turn."""

import json
import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from processes import CORES, PYTHON, ROOT, bare, chainrule, load, python_peer, tool

STEP = {"inputs": [[0.5, 0.3]], "targets": [[1.0]]}
XOR = {"inputs": [[0, 0], [0, 1], [1, 0], [1, 1]], "targets": [[0], [1], [1], [0]]}
WORKED = {"preset": "worked-example"}
TURNS = 3


@dataclass
class Row:
    """A comparison: `ratio` should be at least `target`, or, where `most` is set, at most that."""

    name: str
    ours: str
    theirs: str
    ratio: float
    target: float
    most: bool = False

    @property
    def reached(self):
        return self.ratio <= self.target if self.most else self.ratio >= self.target


class Skipped(Exception):
    """A peer that is missing here; the word says which."""


def in_turns(*figures, turns=TURNS):
    """Each figure's values, taken in turns so that a slow minute slows all of them."""
    values = [[figure() for figure in figures] for _ in range(turns)]
    return list(zip(*values, strict=True))


def ratio(ours, theirs):
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def micros(values):
    return f"{statistics.median(values) * 1e6:.1f} µs"


def rate(values):
    return f"{statistics.median(values):,.0f}/s"


def needs_python():
    if not PYTHON.exists():
        raise Skipped("the peers' environment .tools/bench is missing")


def sessions(server, count, body=WORKED):
    for at in range(count):
        server.ask("PUT", f"/v1/sessions/b{at}", body)
    return [f"/v1/sessions/b{at}/step" for at in range(count)]


def data_folder():
    folder = ROOT / "target" / "bench-data"
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=folder)


def wire(seconds):
    """A step with its whole trace, memory store, against the same written by hand, and against the same bytes fixed."""
    with chainrule() as ours, bare() as theirs:
        paths = sessions(ours, 16)
        for connections in (16, 64):
            def ask(server, paths, connections=connections):
                return lambda: load(server, paths, STEP, connections, seconds)

            mine, hand, fixed = in_turns(ask(ours, paths), ask(theirs, ["/step"]), ask(theirs, ["/fixed"]))
            cpu = [[one.cpu for one in turns] for turns in (mine, hand, fixed)]
            for name, peer, target in (("by hand", 1, 1.0), ("fixed bytes", 2, 0.75)):
                yield Row(f"step, CPU a request, {connections} connections, against axum {name}", micros(cpu[0]), micros(cpu[peer]),
                          ratio(cpu[peer], cpu[0]), target)
            rates = [[one.rate for one in turns] for turns in (mine, hand)]
            yield Row(f"step, requests a second, {connections} connections, against axum by hand", rate(rates[0]), rate(rates[1]),
                      ratio(*rates), 0.9)
            late = [[one.p99 for one in turns] for turns in (mine, hand)]
            yield Row(f"step, p99, {connections} connections, against axum by hand", micros(late[0]), micros(late[1]), ratio(*late), 1.5, most=True)


def fdatasync_rate(folder, seconds):
    """How often the disk takes 4 KB and says that it is safe."""
    with (Path(folder) / "probe").open("wb") as file:
        count, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            file.write(b"\0" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            count += 1
    return count / seconds


def sqlite(seconds):
    """The same with SQLite, safe against a power cut, and with --durability process."""
    with data_folder() as folder, chainrule() as memory, chainrule(store=f"sqlite:{folder}/power.db") as power, \
            chainrule("--durability", "process", store=f"sqlite:{folder}/process.db") as process, bare() as hand:
        for server in (memory, power, process):
            paths = sessions(server, 64)
        many = [lambda server=server: load(server, paths, STEP, 64, seconds).rate for server in (power, memory)]
        mine, theirs = in_turns(*many)
        yield Row("step in SQLite, safe against power cuts, 64 connections, against memory", rate(mine), rate(theirs), ratio(mine, theirs), 0.6)
        mine, disk = in_turns(lambda: load(power, paths, STEP, 1, seconds).rate, lambda: fdatasync_rate(folder, seconds / 2))
        yield Row("the same, 1 connection, against the disk's own fdatasync", rate(mine), rate(disk), ratio(mine, disk), 0.85)
        mine, theirs = in_turns(lambda: load(process, paths, STEP, 16, seconds).rate, lambda: load(hand, ["/step"], STEP, 16, seconds).rate)
        yield Row("step in SQLite, --durability process, 16 connections, against axum by hand", rate(mine), rate(theirs), ratio(mine, theirs), 0.7)


def check_the_same(mine, theirs):
    """A peer that answers other numbers is no peer."""
    for part in ("forward", "backward"):
        pairs = zip(numbers(mine[part]), numbers(theirs[part]), strict=True)
        if not all(abs(a - b) < 1e-12 for a, b in pairs):
            raise RuntimeError(f"the peer's {part} has other numbers")


def numbers(value):
    if isinstance(value, dict):
        return [number for key in sorted(value) for number in numbers(value[key])]
    if isinstance(value, list):
        return [number for one in value for number in numbers(one)]
    return [value] if isinstance(value, float) else []


def fastapi(seconds):
    """The same against FastAPI that does the same and answers the same numbers."""
    needs_python()
    with chainrule() as ours:
        paths = sessions(ours, 16)
        for name, title, target in (("torch", "PyTorch", 40), ("numpy", "NumPy", 12)):
            with python_peer(name) as theirs:
                ours.ask("PUT", f"/v1/sessions/first-{name}", WORKED)
                first = ((ours, f"/v1/sessions/first-{name}/step"), (theirs, "/step"))
                answers = [json.loads(server.ask("POST", path, STEP)) for server, path in first]
                check_the_same(*answers)
                mine, other = in_turns(lambda: load(ours, paths, STEP, 16, seconds).rate, lambda: load(theirs, ["/step"], STEP, 16, seconds).rate)
            yield Row(f"step, requests a second, 16 connections, against FastAPI + {title}", rate(mine), rate(other), ratio(mine, other), target)


NETWORKS = {
    "worked": WORKED,
    "tanh": {"network": {"inputs": 2, "layers": [{"kind": "dense", "units": 8, "activation": "tanh"}, {"kind": "dense", "units": 8, "activation": "tanh"},
                                                 {"kind": "dense", "units": 1}]}, "optimizer": {"kind": "sgd", "learning_rate": 0.01}},
    "784": {"network": {"inputs": 784, "layers": [{"kind": "dense", "units": 128, "activation": "relu"}, {"kind": "dense", "units": 64, "activation": "relu"},
                                                  {"kind": "dense", "units": 10, "activation": "softmax"}]},
            "loss": "cross_entropy", "optimizer": {"kind": "sgd", "learning_rate": 0.01}},
}


def drawn(rows):
    """Rows for 784 inputs: the same for every size of a batch."""
    inputs = [[((row * 784 + at) * 7919 % 1000) / 500 - 1 for at in range(784)] for row in range(rows)]
    return {"inputs": inputs, "targets": [[float(row % 10 == unit) for unit in range(10)] for row in range(rows)]}


def our_training(server, name, steps, batch):
    """Steps a second of a run, its log on, as a client sees it."""
    session = f"/v1/sessions/{name}-{time.monotonic_ns()}"
    server.ask("PUT", session, NETWORKS[name])
    rows = STEP if name == "worked" else XOR if name == "tanh" else drawn(batch)
    body = {**rows, "steps": steps, "batch_size": batch, "shuffle": False}
    content = json.dumps(body).encode()
    began = time.perf_counter()
    done = json.loads(server.ask("POST", f"{session}/train", content))
    took = time.perf_counter() - began
    assert done["state"] == "done", done
    server.ask("DELETE", session)
    return steps / took


def small_training(seconds):
    """Training runs of small networks, one example a step."""
    with chainrule() as server:
        for name, title, steps, peers in (("worked", "2-2-1 sigmoid", 4_000_000, ("loop", "jax", "torch")),
                                          ("tanh", "2-8-8-1 tanh", 1_500_000, ("loop", "jax", "torch"))):
            def ours(name=name, steps=steps):
                return our_training(server, name, steps, 1)

            targets = {"loop": ("a Rust loop for this network", 0.5), "jax": ("JAX lax.scan", 1.0), "torch": ("PyTorch", 1000)}
            for peer in peers:
                title_of, target = targets[peer]
                if peer != "loop":
                    needs_python()
                theirs = (lambda name=name, steps=steps: tool("loops", name, 4 * steps)) if peer == "loop" else (
                    lambda name=name, peer=peer: tool("train.py", peer, name, 1, seconds, python=True))
                mine, other = in_turns(ours, theirs)
                yield Row(f"train {title}, batch 1, against {title_of}", rate(mine), rate(other), ratio(mine, other), target)


def large_training(seconds):
    """Training runs of 784-128-64-10 on one core."""
    needs_python()
    with chainrule() as server:
        for batch, steps, peers in ((32, 3000, (("torch", "PyTorch float64", 1.6), ("torch32", "PyTorch float32", 1.1), ("jax", "JAX", 1.0), ("numpy", "NumPy", 1.0))),
                                    (256, 500, (("torch", "PyTorch float64", 1.2),))):
            for peer, title, target in peers:
                mine, other = in_turns(lambda batch=batch, steps=steps: our_training(server, "784", steps, batch),
                                       lambda peer=peer, batch=batch: tool("train.py", peer, "784", batch, seconds, python=True))
                yield Row(f"train 784-128-64-10, batch {batch}, one core, against {title}", rate(mine), rate(other), ratio(mine, other), target)


def products(_):
    """1024³ multiply-adds in float64."""
    def ours(threads):
        return lambda: tool("engine", "product", 1024, threads, cores=CORES[:threads])

    two, one = in_turns(ours(2), ours(1))
    yield Row("matrix product 1024³, two threads against one", f"{statistics.median(two) / 1e9:.1f} G/s", f"{statistics.median(one) / 1e9:.1f} G/s", ratio(two, one), 1.8)
    needs_python()
    mine, other = in_turns(ours(1), lambda: tool("product.py", 1024, 1, python=True))
    yield Row("matrix product 1024³, one thread, in order and unfused, against OpenBLAS", f"{statistics.median(mine) / 1e9:.1f} G/s",
              f"{statistics.median(other) / 1e9:.1f} G/s", ratio(mine, other), 0.7)


def large_answer(_):
    """The whole trace of 784-128-64-10 with 32 rows: the request against serde_json's time for its text and the pass."""
    with chainrule(cores=CORES) as server:
        server.ask("PUT", "/v1/sessions/large", NETWORKS["784"])
        body = json.dumps(drawn(32)).encode()
        path = "/v1/sessions/large/backward"
        server.ask("POST", path + "?trace=none", body)
        before = server.memory()
        trace = server.ask("POST", path, body)
        most = server.memory("VmHWM") - before

        def timed(query):
            def one():
                began = time.perf_counter()
                server.ask("POST", path + query, body)
                return time.perf_counter() - began
            return lambda: min(one() for _ in range(7))

        whole, alone, text = in_turns(timed(""), timed("?trace=none"), lambda: tool("engine", "text", given=trace)["seconds"])
        both = [a + b for a, b in zip(alone, text, strict=True)]
        yield Row(f"trace of 784-128-64-10, 32 rows, {len(trace) / 1e6:.1f} MB, against serde_json's text and the pass", micros(whole), micros(both), ratio(whole, both), 1.15, most=True)
        json_times, tensor_times = in_turns(timed(""), timed("?format=safetensors"))
        yield Row("the same trace as safetensors, whole request, against its JSON", micros(tensor_times), micros(json_times),
                  ratio(json_times, tensor_times), 8)
        yield Row("the same, memory at its peak, against the answer's bytes", f"{most / 1e6:.1f} MB", f"{len(trace) / 1e6:.1f} MB", most / len(trace), 2, most=True)


def recall(_):
    """Any step of a run of 100,000."""
    with data_folder() as folder, chainrule(store=f"sqlite:{folder}/recall.db", cores=CORES) as server:
        for name, steps in (("worked", 100_000), ("tanh", 100_000)):
            session = f"/v1/sessions/{name}"
            server.ask("PUT", session, NETWORKS[name])
            rows = STEP if name == "worked" else XOR
            server.ask("POST", f"{session}/train", {**rows, "steps": steps, "batch_size": 1})
            times = []
            for at in range(60):
                step = 1 + (at * 16_661) % steps
                began = time.perf_counter()
                server.ask("GET", f"{session}/steps/{step}")
                times.append(time.perf_counter() - began)
            yield Row(f"recall of a step of a run of 100,000 ({name}), the slowest of 60, against 0.25 s", f"{max(times) * 1000:.1f} ms", "250 ms", max(times) / 0.25, 1.0, most=True)


def many_sessions(seconds):
    """A step beside 100,000 stored sessions."""
    with data_folder() as folder, ExitStack() as stack:
        few, many = (stack.enter_context(chainrule(store=f"sqlite:{folder}/{name}.db")) for name in ("few", "many"))
        paths = sessions(few, 10)
        sessions(many, 10)
        made = 10
        while made < 100_000:
            made += load(many, ["/v1/sessions"], WORKED, 64, 5).requests
        mine, theirs = in_turns(*(lambda server=server: load(server, paths, STEP, 16, seconds).p99 for server in (many, few)), turns=5)
        yield Row(f"step p99 beside {made:,} stored sessions, against ten", micros(mine), micros(theirs), ratio(mine, theirs), 1.2, most=True)


def memory(_):
    """What a server holds: idle, for a session, for a connection."""
    import socket

    with chainrule(cores=CORES) as server:
        server.ask("GET", "/livez")
        idle = server.memory()
        yield Row("memory of an idle server, against 20 MiB", f"{idle / 2**20:.1f} MiB", "20 MiB", idle / (20 * 2**20), 1, most=True)
        host, port = server.url.removeprefix("http://").split(":")
        before = server.memory()
        opened = []
        for _ in range(400):
            connection = socket.create_connection((host, int(port)))
            connection.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            connection.recv(4096)
            opened.append(connection)
        each = (server.memory() - before) / len(opened)
        for connection in opened:
            connection.close()
        yield Row("memory of an idle connection, against 25 KB", f"{each / 1000:.1f} KB", "25 KB", each / 25_000, 1, most=True)
        layers = [{"kind": "dense", "units": 100, "activation": "tanh"}, {"kind": "dense", "units": 10}]
        parameters = 8 * (100 * 100 + 100 + 100 * 10 + 10)
        before = server.memory()
        for at in range(500):
            server.ask("PUT", f"/v1/sessions/m{at}", {"network": {"inputs": 100, "layers": layers}})
        each = (server.memory() - before) / 500
        allowed = 3 * parameters + 4096
        yield Row("memory of a live session of 11,110 parameters, against 3 times their bytes and 4 KB", f"{each / 1000:.0f} KB", f"{allowed / 1000:.0f} KB", each / allowed, 1, most=True)


MEASURES = (wire, sqlite, fastapi, small_training, large_training, products, large_answer, recall, many_sessions, memory)
