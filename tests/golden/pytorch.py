"""Makes pytorch.json.gz, pytorch-layers.json.gz and pytorch-optimizers.json.gz: what PyTorch says about small networks,
call by call.

A second opinion by code that shares nothing with ours: PyTorch's layers in float64, gradients by autograd, updates by
`torch.optim`, clipping by `torch.nn.utils.clip_grad_norm_`. PyTorch sums in another order and uses other exponentials,
so the service is compared with it by a small tolerance, not bit by bit; each case names its own, and
tests/python/test_pytorch.py says of what. Nothing here asks the service. Run it in the environment of
requirements.txt:

    python3 tests/golden/pytorch.py

Each case is one line: `create` makes the session, then come the calls, each with its request and the part of the
answer that PyTorch can say. Networks are in pytorch_cases.py, pytorch_layers.py and pytorch_optimizers.py. Besides, it
makes pytorch-telephone.json, from pytorch_telephone.py.
"""

import torch

import pytorch_cases
import pytorch_layers
import pytorch_optimizers
import pytorch_telephone
from fixture import made_by, write, write_packed
from pytorch_cases import Case
from pytorch_session import Session


def run(case: Case) -> dict:
    session = Session(case.create)
    calls = []
    for call, request in case.calls:
        answer = session.answer(call, request)
        trace = {part: answer[part] for part in case.parts if part in answer}
        calls.append({"call": call, "request": request, "trace": trace})
    return {
        "name": case.name,
        "relative_tolerance": case.relative_tolerance,
        "absolute_tolerance": case.absolute_tolerance,
        "create": case.create,
        "calls": calls,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)  # the same order of sums at every run
    made = made_by(__file__, "torch", "numpy")
    for name, of in (
        ("pytorch.json.gz", pytorch_cases),
        ("pytorch-layers.json.gz", pytorch_layers),
        ("pytorch-optimizers.json.gz", pytorch_optimizers),
    ):
        write_packed(name, {"made_by": made}, "cases", [run(case) for case in of.cases()])
    made = made_by(__file__, "torch", "numpy", "mpmath")
    write("pytorch-telephone.json", {"made_by": made, "variants": pytorch_telephone.games()})
