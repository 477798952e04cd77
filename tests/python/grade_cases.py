"""Random networks as the service's sessions and as the plain trainer's networks, some steps on."""

from dataclasses import replace
from functools import cache

from conftest import Client
from grade_claims import FAR, Claimed, Told, as_written
from grade_networks import GradeCase
from plain_mistakes import Wrong, ways
from plain_training import Batch, step


class Scene:
    """A session some steps on, and what the plain trainer tells of its next step, right or with any mistake."""

    def __init__(self, server: Client, case: GradeCase):
        self.server, self.case, self.network = server, case, case.network
        self.session = server.post("/v1/sessions", case.create, 201)["name"]
        path = f"/v1/sessions/{self.session}"
        for _ in range(case.steps):
            trace = server.post(f"{path}/step", {**case.body, "mode": "train"})
            _, self.network = step(self.network, with_masks(replace(case.batch, training=True), trace))
        self.batch = with_masks(case.batch, server.post(f"{path}/backward", case.body))
        self.told = cache(self.told)
        self.told_trace = cache(self.told_trace)

    def told_trace(self, wrong: Wrong) -> dict:
        return as_written(step(self.network, self.batch, wrong)[0], wrong)

    def told(self, wrong: Wrong) -> Told:
        return Told(self.told_trace(wrong))

    def grade(self, claim: dict) -> dict:
        return self.server.post(f"/v1/sessions/{self.session}/grade", {**self.case.body, "claim": claim}, 200)

    def nearest(self, claim: list[Claimed], code: str) -> int:
        """How near the claim is to the numbers that one gets with a mistake, made in the way that suits it best."""
        return min((self.told(way).worst(claim) for way in ways(code, self.network.loss)), default=FAR)


def with_masks(batch: Batch, trace: dict) -> Batch:
    """What is dropped is drawn, so the service is asked for it."""

    def masks(layers: list[dict]) -> dict:
        own = {layer["name"]: layer["mask"] for layer in layers if "mask" in layer}
        return own | {name: mask for layer in layers for name, mask in masks(layer.get("layers", [])).items()}

    return replace(batch, masks=masks(trace["forward"]["layers"]))
