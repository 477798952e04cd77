"""The chain rule of one weight against every path walked one by one in plain Python, and against the gradient."""

import math
import random

import pytest

from chain_paths import BATCH_NORM, Graph
from conftest import Client
from small_networks import KINDS, small_case
from trace_parts import Part, at, is_close, parameters_of, part_of, total

NETWORKS = 54
WEIGHTS_EACH = 4
# Factors are as the server computes them but for the order of a normalization's products.
RELATIVE = 1e-12
LAST = {"weights": ("w", "x"), "bias": ("bias", "1"), "gamma": ("γ", "x̂"), "beta": ("β", "1")}


def chain(server: Client, session: str, batch: dict, weight: tuple[str, str, list[int]], **more: int) -> dict:
    layer, parameter, index = weight
    question = {**batch, "weight": {"layer": layer, "parameter": parameter, "index": index}, **more}
    return server.post(f"/v1/sessions/{session}/chain", question, 200)


def made(server: Client, create: dict) -> str:
    return server.post("/v1/sessions", create, 201)["name"]


def last_value(part: Part, parameter: str, index: list[int], example: int) -> float:
    if parameter == "weights":
        return part.inputs[example][index[0]]
    return part.up["normalized"][example][index[0]] if parameter == "gamma" else 1.0


def walked(factors: list[dict], example: int) -> tuple:
    """The way of a path: what variable, example and unit it comes through."""
    return tuple((one["name"].split("/∂")[1], one.get("example", example), one["unit"]) for one in factors[:-1])


def crosses_examples(graph: Graph, variable: str) -> bool:
    """Whether a batch normalization with the batch's own statistics stands between a variable and the loss."""
    return any(formula == BATCH_NORM or crosses_examples(graph, upper) for upper, _, formula in graph.uppers[variable])


def test_the_worked_example_is_the_tutorials_product(server: Client):
    session = made(server, {"preset": "worked-example"})
    found = chain(server, session, {}, ("hidden", "weights", [0, 0]))
    trace = server.post(f"/v1/sessions/{session}/backward", {})
    hidden, output = trace["forward"]["layers"]
    expected = [
        ("∂E/∂ŷ", "ŷ − y", trace["forward"]["outputs"][0][0] - 1.0),
        ("∂ŷ/∂b", "h·(1 − h)", output["derivatives"][0][0]),
        ("∂b/∂h", "w", 0.6),
        ("∂h/∂a", "h·(1 − h)", hidden["derivatives"][0][0]),
        ("∂a/∂w", "x", 0.5),
    ]
    paths = found["paths"]
    assert paths["count"] == "1" and len(paths["heaviest"]) == 1 and paths["heaviest"][0]["share"] == 1.0
    factors = paths["heaviest"][0]["factors"]
    assert [(one["name"], one["formula"], one["value"]) for one in factors] == expected
    assert found["gradient"] == part_of(trace, "hidden").down["gradients"]["weights"][0][0] == found["batch_gradient"]
    assert is_close(factors[-1]["running"], found["gradient"], RELATIVE)


def test_the_small_networks_leave_nothing_out():
    layers = [layer for index in range(NETWORKS) for layer in small_case(index).layers]
    kinds = {layer["kind"] for layer in layers}
    assert kinds == {"dense", "activation", "batch_norm", "layer_norm", "dropout", "residual"}
    assert len(KINDS) <= NETWORKS
    assert any(layer.get("activation") == "softmax" for layer in layers if layer["kind"] == "activation")
    assert any(layer.get("shortcut") == "projection" for layer in layers)
    assert any(inner["kind"] == "residual" for layer in layers for inner in layer.get("layers", []))


@pytest.mark.parametrize("index", range(NETWORKS))
def test_every_path_is_found(server: Client, index: int):
    case = small_case(index)
    session = made(server, case.create)
    trace = server.post(f"/v1/sessions/{session}/backward", case.batch)
    graph = Graph(trace)
    draw = random.Random(f"weights of {index}")
    places = parameters_of(trace)
    for part, parameter, place in draw.sample(places, min(WEIGHTS_EACH, len(places))):
        example, top = draw.randrange(len(case.inputs)), draw.choice([1, 7, 1000])
        weight = (part.name, parameter, place)
        found = chain(server, session, case.batch, weight, example=example, top=top)
        paths_agree(graph, part, parameter, place, example, top, found["paths"])
        gradients_agree(part, parameter, place, example, found)
        # The mean of the rows' gradients is that of the batch.
        rows = range(len(case.inputs))
        each = [chain(server, session, case.batch, weight, example=row)["gradient"] for row in rows]
        assert is_close(total(each) / len(each), found["batch_gradient"], RELATIVE, max(map(abs, each)))


def paths_agree(
    graph: Graph, part: Part, parameter: str, place: list[int], example: int, top: int, found: dict
) -> None:
    """Number, order, factors, names and shares of the paths that were found, against all there are."""
    last = last_value(part, parameter, place, example)
    entered = graph.entered[part.name]
    every = {}
    for nodes, factors in graph.paths((entered, example, place[-1])):
        way = tuple((graph.letter(variable), row, unit) for variable, row, unit in nodes)
        assert way not in every
        every[way] = [*factors, last]
    values = {way: math.prod(factors) for way, factors in every.items()}
    weight = total([abs(value) for value in values.values()])

    assert found["count"] == str(len(every))
    assert is_close(found["sum"], total(list(values.values())), RELATIVE, weight)
    heaviest = found["heaviest"]
    ranked = sorted(map(abs, values.values()), reverse=True)
    assert len(heaviest) == min(top, len(ranked))
    for path, size in zip(heaviest, ranked, strict=False):
        assert is_close(abs(path["value"]), size, RELATIVE, weight * 1e-3)
    assert len({walked(path["factors"], example) for path in heaviest}) == len(heaviest)

    formulas, across = graph.formulas(), crosses_examples(graph, entered)
    for path in heaviest:
        factors = path["factors"]
        expected = every[walked(factors, example)]
        running, above = 1.0, "E"
        for one, factor in zip(factors, expected, strict=True):
            assert is_close(one["value"], factor, RELATIVE, 1e-3)
            running = running * one["value"]
            assert one["running"] == running
            assert one["name"].startswith(f"∂{above}/∂")
            above = one["name"].split("/∂")[1]
        for one in factors[:-1]:
            upper, lower = one["name"][1:].split("/∂")
            assert one["formula"] in formulas[upper, lower]
            assert ("example" in one) == across
        symbol, formula = LAST[parameter]
        assert (factors[-1]["name"], factors[-1]["formula"]) == (f"∂{graph.letter(entered)}/∂{symbol}", formula)
        assert factors[-1]["layer"] == part.name and "unit" not in factors[-1]
        assert path["value"] == running
        assert is_close(path["share"], abs(running) / weight if weight > 0.0 else 0.0, RELATIVE)


def gradients_agree(part: Part, parameter: str, place: list[int], example: int, found: dict) -> None:
    assert found["batch_gradient"] == at(part.down["gradients"][parameter], place)
    blame = part.down["deltas"] if part.up["kind"] == "dense" else part.down["errors"]
    own = 0.0 - last_value(part, parameter, place, example) * blame[example][place[-1]]
    assert found["gradient"] == own
    weight = total([abs(path["value"]) for path in found["paths"]["heaviest"]])
    assert is_close(found["paths"]["sum"], own, 1e-11, weight)
