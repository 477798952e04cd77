"""A trace as safetensors: every tensor is the quantity of the JSON at its name, to the bit, and none is missing."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import load

from networks import random_case
from test_solution import WORKED


def quantities(value, pointer=""):
    """Every number and every array of numbers in a trace, by its pointer."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from quantities(inner, f"{pointer}/{name}")
    elif isinstance(value, list) and (not value or isinstance(value[0], dict)):
        for at, inner in enumerate(value):
            yield from quantities(inner, f"{pointer}/{at}")
    elif isinstance(value, list) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        yield pointer, np.array(value, dtype=np.float64)


def settings(pointer):
    """What was asked for and is not computed stands in the JSON alone."""
    return pointer in ("/step", "/update/timestep") or "/optimizer/" in pointer or pointer.rsplit("/", 1)[-1] in ("epsilon", "momentum", "rate")


def about(content):
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["chainrule"])


def same(trace, content):
    tensors = load(content)
    wanted = {pointer: numbers for pointer, numbers in quantities(trace) if not settings(pointer)}
    assert set(tensors) == set(wanted)
    for pointer, numbers in wanted.items():
        assert tensors[pointer].dtype == np.float64 and tensors[pointer].shape == numbers.shape, pointer
        assert tensors[pointer].tobytes() == numbers.tobytes(), pointer


@pytest.mark.parametrize("index", [None, *range(24)])
def test_every_number_is_there_to_the_bit(server, index):
    case = None if index is None else random_case(index)
    body = WORKED if case is None else {**case.create, **case.batch}
    answer = server.answer("POST", "/v1/explain?format=safetensors", body)
    assert answer.headers["content-type"] == "application/vnd.safetensors"
    same(server.post("/v1/explain", body), answer.content)
    assert about(answer.content) == {"format": "chainrule.trace/1"}


def test_of_a_session_and_again(server):
    path = "/v1/sessions/tensors"
    server.put(path, WORKED)
    accept = {"accept": "application/vnd.safetensors"}
    stepped = server.answer("POST", f"{path}/step", {}, accept)
    assert about(stepped.content) == {"format": "chainrule.trace/1", "session": "tensors", "step": 1}
    assert server.answer("GET", f"{path}/steps/1", None, accept).content == stepped.content
    same(server.get(f"{path}/steps/1"), stepped.content)
    for query, code in (("digits=3", "conflicting_fields"), ("unit=1", "conflicting_fields"), ("trace=summary", "conflicting_fields"),
                        ("picture=network", "conflicting_fields")):
        refused = server.answer("POST", f"{path}/step?format=safetensors&{query}", {})
        assert (refused.status_code, refused.json()["code"]) == (422, code), query
    refused = server.answer("POST", f"{path}/forward?format=safetensors",
                            {"what_if": [{"ablate": {"layer": "hidden", "unit": 0}}]})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")
    assert server.get(path)["step"] == 1
