"""The chain rule where nobody can walk all paths: their number, their sum and the heaviest by other means."""

import math

import pytest

from conftest import Client
from networks import Case
from test_chain import chain, made
from trace_parts import is_close, part_of, total

LAYERS, WIDTH = 60, 3
# Each preset's number of paths to a weight of the first layer, and the factors of each path or, where there are ways
# around, of the shortest. Between that layer and the top one there are 98 layers of 16 units.
PRESETS = {
    "telephone": (16**98, 2 * 100 + 1),
    "telephone-relu": (16**98, 2 * 100 + 1),
    # In every block one way more than there are units: around it.
    "telephone-residual": (17**98, 98 + 6),
    # Each of 99 normalizations leads to all of 8 examples.
    "telephone-batch-norm": (16**98 * 8**99, 4 * 99 + 3),
}
INPUT, UNIT, EXAMPLE, TOP = 3, 4, 2, 5


def deep() -> Case:
    layers = [{"kind": "dense", "units": WIDTH, "activation": "tanh", "init": "he_normal"} for _ in range(LAYERS)]
    layers.append({"kind": "dense", "units": 2, "activation": "softmax"})
    create = {"network": {"inputs": 2, "layers": layers}, "loss": "cross_entropy", "seed": 5}
    return Case(create, [[0.3, -0.8]], [[0.0, 1.0]])


def test_a_deep_networks_paths_pass_every_machine_integer(server: Client):
    case = deep()
    session = made(server, case.create)
    found = chain(server, session, case.batch, ("layer1", "weights", [1, 2]), top=3)
    # From the loss to 2 outputs, each through softmax to 2 pre-activations, then through all layers but the lowest,
    # where the weight's own unit is the only one.
    count = 2 * 2 * WIDTH ** (LAYERS - 1)
    assert count > 2**64
    assert found["paths"]["count"] == str(count)
    trace = server.post(f"/v1/sessions/{session}/backward", case.batch)
    gradient = part_of(trace, "layer1").down["gradients"]["weights"][1][2]
    assert found["gradient"] == found["batch_gradient"] == gradient != 0.0
    assert is_close(found["paths"]["sum"], gradient, 1e-9)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_telephones_paths_sum_to_the_gradient(server: Client, preset: str):
    session, (count, factors) = made(server, {"preset": preset}), PRESETS[preset]
    trace = server.post(f"/v1/sessions/{session}/backward", {})
    first = part_of(trace, "layer1")
    found = chain(server, session, {}, ("layer1", "weights", [INPUT, UNIT]), example=EXAMPLE, top=TOP)
    assert found["batch_gradient"] == first.down["gradients"]["weights"][INPUT][UNIT] != 0.0
    of_the_example = -first.down["deltas"][EXAMPLE][UNIT] * first.inputs[EXAMPLE][INPUT]
    assert of_the_example != 0.0
    assert is_close(found["gradient"], of_the_example, 1e-9)
    assert found["paths"]["count"] == str(count)
    assert is_close(found["paths"]["sum"], of_the_example, 1e-9)
    lengths = [len(path["factors"]) for path in found["paths"]["heaviest"]]
    assert min(lengths) == factors
    # Around a block there are two factors fewer than through it, and everywhere else all paths are of one length.
    assert {length - factors for length in lengths} <= (set(range(0, 2 * 99, 2)) if "residual" in preset else {0})


@pytest.mark.parametrize("preset", PRESETS)
def test_the_telephones_heaviest_paths(server: Client, preset: str):
    """There is a gradient, so the heaviest paths are numbers and not zero, and are what their factors make."""
    session = made(server, {"preset": preset})
    paths = chain(server, session, {}, ("layer1", "weights", [INPUT, UNIT]), example=EXAMPLE, top=TOP)["paths"]
    heaviest = paths["heaviest"]
    assert len(heaviest) == TOP
    sizes = [abs(path["value"]) for path in heaviest]
    assert sizes == sorted(sizes, reverse=True)
    # A sum of paths is not more than their number by the largest of them.
    assert abs(paths["sum"]) <= int(paths["count"]) * sizes[0]
    everything = sizes[0] / heaviest[0]["share"]
    assert abs(paths["sum"]) <= everything * (1.0 + 1e-9)
    for path, size in zip(heaviest, sizes, strict=True):
        assert 0.0 < size < math.inf and 0.0 < path["share"] <= 1.0
        assert is_close(path["share"], size / everything, 1e-9)
        values = [factor["value"] for factor in path["factors"]]
        assert all(math.isfinite(value) and value != 0.0 for value in values)
        # By logarithms, which do not care in what order the numbers shrink.
        logarithm = math.fsum(math.log(abs(value)) for value in values)
        assert math.isclose(logarithm, math.log(size), rel_tol=1e-10)
        assert math.prod(math.copysign(1.0, value) for value in values) == math.copysign(1.0, path["value"])
        assert path["factors"][-1]["running"] == path["value"]


def test_the_way_around_doubles_the_paths(server: Client):
    """An identity block passes each unit on along its shortcut too: with one unit, each block doubles the paths."""
    block = {"kind": "residual", "layers": [{"kind": "dense", "units": 1, "activation": "sigmoid"}]}
    layers = [{"kind": "dense", "units": 1}, *[block] * 70, {"kind": "dense", "units": 1}]
    session = made(server, {"network": {"inputs": 1, "layers": layers}})
    batch = {"inputs": [[0.4]], "targets": [[1.0]]}
    found = chain(server, session, batch, ("layer1", "weights", [0, 0]), top=1000)
    assert found["paths"]["count"] == str(2**70)
    assert len(found["paths"]["heaviest"]) == 1000
    assert is_close(found["paths"]["sum"], found["gradient"], 1e-11)


def test_the_heaviest_path_of_a_deep_network(server: Client):
    """By the largest product, carried up layer by layer; the sum of |path| likewise, for the share."""
    case = deep()
    session = made(server, case.create)
    trace = server.post(f"/v1/sessions/{session}/backward", case.batch)
    layers = trace["forward"]["layers"]
    errors, h = trace["backward"]["layers"][0]["errors"][0], layers[-1]["outputs"][0]
    jacobian = [[abs(h[k] * ((k == j) - h[j])) for k in range(2)] for j in range(2)]
    best = [max(abs(errors[k]) * row[k] for k in range(2)) for row in jacobian]
    weight = [total([abs(errors[k]) * row[k] for k in range(2)]) for row in jacobian]
    for above, below in zip(layers[:0:-1], layers[-2::-1], strict=True):
        ways = [[abs(w) for w in row] for row in above["parameters"]["weights"]]
        slopes = [abs(slope) for slope in below["derivatives"][0]]
        best = [s * max(b * w for b, w in zip(best, row, strict=True)) for s, row in zip(slopes, ways, strict=True)]
        weight = [s * total([b * w for b, w in zip(weight, r, strict=True)]) for s, r in zip(slopes, ways, strict=True)]
    for unit in range(WIDTH):
        found = chain(server, session, case.batch, ("layer1", "weights", [0, unit]), top=1)["paths"]["heaviest"]
        assert is_close(abs(found[0]["value"]), best[unit] * 0.3, 1e-10)
        assert is_close(found[0]["share"], best[unit] / weight[unit], 1e-10)


@pytest.mark.parametrize(("top", "status"), [(0, 400), (1, 200), (1000, 200), (1001, 400)])
def test_how_many_paths_can_be_shown(server: Client, top: int, status: int):
    session = made(server, {"preset": "worked-example"})
    question = {"weight": {"layer": "output", "parameter": "weights", "index": [0, 0]}, "top": top}
    answer = server.post(f"/v1/sessions/{session}/chain", question, status)
    if status != 200:
        assert [fault["pointer"] for fault in answer["errors"]] == ["/top"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"example": 1}, "/example"),
        ({"weight": {"layer": "nobody", "parameter": "weights", "index": [0, 0]}}, "/weight/layer"),
        ({"weight": {"layer": "hidden", "parameter": "bias", "index": [0]}}, "/weight/parameter"),
        ({"weight": {"layer": "hidden", "parameter": "gamma", "index": [0]}}, "/weight/parameter"),
        ({"weight": {"layer": "hidden", "parameter": "weights", "index": [2, 0]}}, "/weight/index"),
        ({"weight": {"layer": "hidden", "parameter": "weights", "index": [0, 2]}}, "/weight/index"),
        ({"weight": {"layer": "hidden", "parameter": "weights", "index": [0]}}, "/weight/index"),
        ({"weight": {"layer": "hidden", "parameter": "weights", "index": []}}, "/weight/index"),
        ({"weight": {"layer": "hidden", "parameter": "weights", "index": [0, 0, 0]}}, "/weight/index"),
    ],
)
def test_what_is_not_there_is_refused_where_it_is_asked_for(server: Client, change: dict, pointer: str):
    session = made(server, {"preset": "worked-example"})
    weight = {"layer": "hidden", "parameter": "weights", "index": [1, 1]}
    server.post(f"/v1/sessions/{session}/chain", {"weight": weight}, 200)
    answer = server.post(f"/v1/sessions/{session}/chain", {"weight": weight, **change}, 422)
    assert [fault["pointer"] for fault in answer["errors"]] == [pointer]
