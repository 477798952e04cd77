"""The server against what PyTorch says: every layer, activation, loss and optimizer over several steps, the running
statistics and the optimizers' memories included."""

import pytest

from golden import golden
from near import near

FILES = ["pytorch.json.gz", "pytorch-layers.json.gz", "pytorch-optimizers.json.gz"]
CASES = {f"{name.split('.')[0]}-{case['name']}": case for name in FILES for case in golden(name)["cases"]}


@pytest.mark.parametrize("name", CASES)
def test_pytorch_says_the_same(server, name):
    case = CASES[name]
    path = f"/v1/sessions/{name}"
    server.put(path, case["create"], status=201)
    for call in case["calls"]:
        answer = server.post(f"{path}/{call['call']}", call["request"])
        near(call["trace"], answer, case["relative_tolerance"], case["absolute_tolerance"])
