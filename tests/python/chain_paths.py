"""Every path of the chain rule from the loss to a number, one by one, out of a trace's local derivatives.

A variable is a set of numbers that are computed together; a node is one of them: (variable, example, unit). Paths
are walked from the number up to the loss, and told from the loss down.
"""

from collections.abc import Callable, Iterator

from trace_parts import Matrix

Node = tuple[str, int, int]
# From an example and a unit below: each example and unit above, with the factor between the two.
Edge = Callable[[int, int], Iterator[tuple[int, int, float]]]

LOSS = {
    "half_squared_error": "ŷ − y",
    "mean_squared_error": "2·(ŷ − y)/K",
    "binary_cross_entropy": "(ŷ − y)/(ŷ·(1 − ŷ))/K",
    "cross_entropy": "−y/ŷ",
}
SLOPES = {
    "linear": "1",
    "sigmoid": "h·(1 − h)",
    "tanh": "1 − h²",
    "relu": "1 if a > 0, else 0",
    "leaky_relu": "1 if a > 0, else 0.01",
    "elu": "1 if a > 0, else e^a",
    "gelu": "Φ(a) + a·φ(a)",
    "silu": "σ(a)·(1 + a·(1 − σ(a)))",
    "softplus": "σ(a)",
    "softmax": "h_k·([k = j] − h_j)",
}
BATCH_NORM = "γ/deviation·([m = n] − 1/N − x̂_m·x̂_n/N)"
LAYER_NORM = "γ_k/deviation·([k = j] − 1/units − x̂_k·x̂_j/units)"
# Two dense layers have the tutorial's letters.
TUTORIAL = {"a2": "b", "h1": "h", "a1": "a"}


class Graph:
    """`uppers`: for each variable those computed from it; `entered`: the variable that a layer's parameters enter."""

    def __init__(self, trace: dict):
        self.uppers: dict[str, list[tuple[str, Edge, str]]] = {"E": []}
        self.entered: dict[str, str] = {}
        layers = trace["forward"]["layers"]
        errors = trace["backward"]["layers"][0]["errors"]
        self.uppers["ŷ"] = [("E", lambda n, k: iter([(n, 0, -errors[n][k])]), LOSS[trace["loss"]["kind"]])]
        self.letters = TUTORIAL if [layer["kind"] for layer in layers] == ["dense", "dense"] else {}
        self._stack(layers, "ŷ", "")

    def paths(self, node: Node) -> list[tuple[list[Node], list[float]]]:
        """Each path to a node: the nodes below the loss, and the factor on the way to each, from the loss down."""
        variable, n, j = node
        if variable == "E":
            return [([], [])]
        found = []
        for upper, edge, _ in self.uppers[variable]:
            for m, k, factor in edge(n, j):
                found += [([*nodes, node], [*factors, factor]) for nodes, factors in self.paths((upper, m, k))]
        return found

    def letter(self, variable: str) -> str:
        return self.letters.get(variable, variable)

    def formulas(self) -> dict[tuple[str, str], set[str]]:
        """By what formula one variable may hang on another: a block's outputs hang on a branch and a shortcut."""
        found: dict[tuple[str, str], set[str]] = {}
        for lower, uppers in self.uppers.items():
            for upper, _, formula in uppers:
                found.setdefault((self.letter(upper), self.letter(lower)), set()).add(formula)
        return found

    def _stack(self, layers: list[dict], top: str, prefix: str) -> list[tuple[str, Edge, str]]:
        """Answers what is computed from the inputs of the lowest layer."""
        outputs, uppers = top, []
        for number in range(len(layers), 0, -1):
            uppers = self._layer(layers[number - 1], outputs, f"{prefix}{number}")
            if number > 1:
                outputs = f"h{prefix}{number - 1}"
                self.uppers[outputs] = uppers
        return uppers

    def _layer(self, layer: dict, outputs: str, label: str) -> list[tuple[str, Edge, str]]:
        kind = layer["kind"]
        self.entered[layer["name"]] = outputs
        if kind == "dense":
            a = f"a{label}"
            self.entered[layer["name"]] = a
            self.uppers[a] = [(outputs, slope(layer), SLOPES[layer["activation"]])]
            return [(a, through(layer["parameters"]["weights"]), "w")]
        if kind == "activation":
            return [(outputs, slope(layer), SLOPES[layer["activation"]])]
        if kind == "dropout":
            if "mask" not in layer:
                return [(outputs, same, "1")]
            return [(outputs, alone(layer["mask"]), "the mask: 0 or 1/(1 − rate)")]
        if kind == "residual":
            branch = f"h{label}.{len(layer['layers'])}"
            self.uppers[branch] = [(outputs, same, "1")]
            uppers = self._stack(layer["layers"], branch, f"{label}.")
            if "parameters" in layer:
                return [*uppers, (outputs, through(layer["parameters"]["weights"]), "w")]
            return [*uppers, (outputs, same, "1")]
        return [(outputs, *normalization(layer))]


def same(n: int, j: int) -> Iterator[tuple[int, int, float]]:
    yield n, j, 1.0


def alone(factors: Matrix) -> Edge:
    return lambda n, j: iter([(n, j, factors[n][j])])


def through(weights: Matrix) -> Edge:
    return lambda n, i: ((n, j, weight) for j, weight in enumerate(weights[i]))


def slope(layer: dict) -> Edge:
    if layer["activation"] != "softmax":
        return alone(layer["derivatives"])
    h = layer["outputs"]
    return lambda n, j: ((n, k, h[n][k] * ((k == j) - h[n][j])) for k in range(len(h[n])))


def normalization(layer: dict) -> tuple[Edge, str]:
    gamma, x, deviation = layer["parameters"]["gamma"], layer["normalized"], layer["deviation"]

    def within(same: bool, a: float, b: float, count: int) -> float:
        return same - 1.0 / count - a * b / count

    def over_units(n: int, j: int) -> Iterator[tuple[int, int, float]]:
        count = len(x[n])
        for k in range(count):
            yield n, k, gamma[k] / deviation[n] * within(k == j, x[n][k], x[n][j], count)

    def over_examples(n: int, j: int) -> Iterator[tuple[int, int, float]]:
        for m in range(len(x)):
            yield m, j, gamma[j] / deviation[j] * within(m == n, x[m][j], x[n][j], len(x))

    if layer["kind"] == "layer_norm":
        return over_units, LAYER_NORM
    if layer["statistics"] == "batch":
        return over_examples, BATCH_NORM
    return (lambda n, j: iter([(n, j, gamma[j] / deviation[j])])), "γ/deviation"
