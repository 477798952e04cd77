"""The plain trainer's numbers in the form of a trace: layer by layer, in the order of computation."""


def told(network, ups: list, losses: tuple, downs: list, clip: dict | None, updates: list, loss_after) -> dict:
    layers = network.layers
    forward = [entry for layer, up in zip(layers, ups, strict=True) for entry in forward_of(network, layer, up)]
    from_the_top = list(zip(layers, downs, updates, strict=True))[::-1]
    backward = [entry for layer, down, _ in from_the_top for entry in backward_of(network, layer, down)]
    learned = [entry for layer, _, update in from_the_top for entry in update_of(network, layer, update)]
    return {
        "forward": {"layers": forward, "outputs": ups[-1]["out"]},
        "loss": {"per_example": losses[0], "value": losses[1]},
        "backward": {"layers": backward},
        "update": ({"clip": clip} if clip else {}) | {"layers": learned, "loss_after": loss_after},
    }


def is_split(network, layer) -> bool:
    return network.split and layer.activation != "linear"


def names(layer) -> tuple[str, str, str]:
    """Of the dense layer, of its activation and of the block around it, where these are layers of their own."""
    return layer.name, f"{layer.name}-f", f"{layer.name}-block"


def forward_of(network, layer, up: dict) -> list[dict]:
    dense, activation, block = names(layer)
    own = {"weights": layer.weights} | ({"bias": layer.bias} if layer.bias is not None else {})
    told = {"derivatives": up["slopes"]["told"]} if up["slopes"] and layer.activation != "softmax" else {}
    found = [{"name": dense, "parameters": own, "pre_activations": up["a"], "outputs": up["h"]} | told]
    if is_split(network, layer):
        ones = [[1.0] * len(row) for row in up["a"]]
        found = [found[0] | {"outputs": up["a"], "derivatives": ones}, {"name": activation, "outputs": up["h"]} | told]
    if layer.shortcut:
        projection = {"parameters": {"weights": layer.projection}} if layer.projection else {}
        ways = {"branch": up["h"], "shortcut": up["around"], "outputs": up["out"]}
        found = [{"name": block, **projection, "layers": found, **ways}]
    return found


def backward_of(network, layer, down: dict) -> list[dict]:
    dense, activation, block = names(layer)
    gradients = {name: values for name, values in down["gradients"].items() if name != "projection"}
    found = [{"name": dense, "errors": down["errors"], "deltas": down["deltas"], "gradients": gradients}]
    if is_split(network, layer):
        above = {"name": activation, "errors": down["errors"], "deltas": down["deltas"]}
        found = [above, found[0] | {"errors": down["deltas"]}]
    if layer.shortcut:
        projection = {"gradients": {"weights": down["gradients"]["projection"]}} if layer.projection else {}
        ways = {"branch_errors": down["branch"], "shortcut_errors": down["around"], "deltas": down["passed"]}
        found = [{"name": block, "errors": down["errors"], "layers": found, **projection, **ways}]
    return found


def update_of(network, layer, update: dict) -> list[dict]:
    dense, activation, block = names(layer)
    found = [{"name": dense, "parameters": {name: one for name, one in update.items() if name != "projection"}}]
    if is_split(network, layer):
        found = [{"name": activation}, *found]
    if layer.shortcut:
        projection = {"parameters": {"weights": update["projection"]}} if layer.projection else {}
        found = [{"name": block, **projection, "layers": found}]
    return found
