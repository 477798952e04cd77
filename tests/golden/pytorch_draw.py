"""Random numbers for the cases: parameters and batches from Python's own generator, rounded to three places, so that
the files stay short and a failing case can be typed in by hand."""

import random

from pytorch_network import units_of

# Stands in a layer of a case for values that are drawn.
DRAWN = "drawn"


class Draw:
    def __init__(self, name: str):
        self.random = random.Random(name)

    def row(self, length: int, low: float = -1.0, high: float = 1.0) -> list[float]:
        return [round(self.random.uniform(low, high), 3) for _ in range(length)]

    def weights(self, fan_in: int, fan_out: int) -> list[list[float]]:
        # Of this size they keep sums near 1 whatever the width, so that nothing saturates.
        size = 2.0 / fan_in**0.5
        return [self.row(fan_out, -size, size) for _ in range(fan_in)]

    def layers(self, specs: list[dict], units: int) -> list[dict]:
        """The layers upon so many units with every parameter in numbers: no start is left to the service."""
        drawn = []
        for spec in specs:
            drawn.append(self.layer(spec, units))
            units = units_of(drawn[-1], units)
        return drawn

    def layer(self, spec: dict, units: int) -> dict:
        spec = dict(spec)
        if spec["kind"] == "dense":
            spec["weights"] = self.weights(units, spec["units"])
            spec["bias"] = self.row(spec["units"], -0.5, 0.5) if spec.get("bias", True) else False
        if spec["kind"] == "residual":
            spec["layers"] = self.layers(spec["layers"], units)
            if spec.get("shortcut") == "projection":
                spec["weights"] = self.weights(units, units_of({**spec, "kind": "branch"}, units))
        for name, low, high in (("gamma", 0.5, 1.5), ("beta", -0.5, 0.5)):
            if spec.get(name) == DRAWN:
                spec[name] = self.row(units, low, high)
        return spec

    def batch(self, inputs: int, outputs: int, examples: int, one_hot: bool = False) -> dict:
        """Rows, and targets of any sign or, for a cross entropy, one-hot."""
        rows = [self.row(inputs) for _ in range(examples)]
        wanted = self.random.choices(range(outputs), k=examples)
        targets = [
            [float(k == wanted[n]) for k in range(outputs)] if one_hot else self.row(outputs) for n in range(examples)
        ]
        return {"inputs": rows, "targets": targets}
