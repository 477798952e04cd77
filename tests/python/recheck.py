"""The independent re-checker: recomputes every number of a trace from the numbers before it, tolerance zero.

It reads nothing but the trace's JSON and shares no code with the service. A trace passes only if every
computed number is the very double that the documented arithmetic gives, every shape fits, and no key is
unknown. Use it as a library (`recheck(trace)`) or on a saved answer:

    python3 recheck.py answer.json
    curl -s ... | python3 recheck.py -

It exits 0 if all is equal, 1 on a mismatch, 2 if the file cannot be read as JSON. It needs mpmath.
"""

import argparse
import json
import sys
from contextlib import suppress
from typing import Any

from rules.layers import KINDS
from rules.losses import LOSSES, mean
from rules.numbers import each
from rules.optimizers import OPTIMIZERS
from rules.reader import Broken, Draft, Findings, Mismatch, Reader

__all__ = ["Mismatch", "parse", "recheck"]

FORMAT = "chainrule.trace/1"
# The first mismatches help to find the cause; the thousandth does not.
MISMATCHES_PRINTED = 10

Matrix = list[list[float]]


def recheck(trace: Any) -> list[Mismatch]:
    """Every place where the trace differs from what its own numbers say; empty if there is none."""
    return examine(trace).mismatches


def examine(trace: Any) -> Findings:
    """`recheck`, with the count of numbers that were recomputed."""
    findings = Findings()
    # A broken form is recorded where it is met; what follows the broken place cannot be judged.
    with suppress(Broken):
        _trace(Reader(trace, "", findings))
    return findings


def parse(text: str) -> Any:
    """JSON as the service may write it: no NaN, no infinity, no key twice (Python would take the last)."""

    def no_constant(name: str) -> float:
        raise ValueError(f"{name} is not JSON")

    def no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError(f"a key stands twice among {[key for key, _ in pairs]}")
        return members

    return json.loads(text, parse_constant=no_constant, object_pairs_hook=no_key_twice)


def _trace(trace: Reader) -> None:
    trace.same("format", FORMAT)
    # A stateless answer has neither; a session's answer has both.
    if trace.has("session") or trace.has("step"):
        trace.text("session")
        trace.count("step")

    layers, outputs = _forward(trace.child("forward"))
    has_backward = trace.has("backward") or trace.has("update")
    if trace.has("loss") or has_backward:
        loss = trace.child("loss")
        errors = _loss(loss, outputs)
    if has_backward:
        gradients = _backward(trace.child("backward"), layers, errors)
        _update(trace.child("update"), layers, gradients, loss)
    trace.done()


def _forward(forward: Reader) -> tuple[list[Reader], Matrix]:
    layers = forward.children("layers")
    names = [layer.text("name") for layer in layers]
    for i, layer in enumerate(layers):
        if names[i] in names[:i]:
            raise layer.refuse("name", "a name of its own")
    outputs = forward.check("outputs", _up(layers, forward.matrix("inputs")))
    forward.done()
    return layers, outputs


def _up(layers: list[Reader], x: Matrix) -> Matrix:
    for layer in layers:
        x = layer.choice("kind", KINDS).up(layer, x)
        layer.done()
    return x


def _loss(loss: Reader, outputs: Matrix) -> Matrix:
    """Checks the loss; answers the errors that it sends to the output layer."""
    of_example, errors_of_example = loss.choice("kind", LOSSES)
    targets = loss.matrix("targets", rows=len(outputs), columns=len(outputs[0]))
    per_example = loss.check("per_example", [of_example(*rows) for rows in zip(targets, outputs, strict=True)])
    loss.check("value", mean(per_example))
    loss.done()
    return [errors_of_example(*rows) for rows in zip(targets, outputs, strict=True)]


def _backward(backward: Reader, forward_layers: list[Reader], errors: Matrix) -> list[dict[str, list]]:
    """Checks the way back, the output layer first; answers each layer's gradients in that order."""
    gradients = []
    for layer, forward in _reversed_pairs(backward, forward_layers):
        kind = forward.choice("kind", KINDS)
        layer.same("kind", forward.text("kind"))
        gradients.append(kind.down(layer, forward, errors))
        layer.done()
        if forward is not forward_layers[0]:
            errors = kind.errors_below(layer, forward)
    backward.done()
    return gradients


def _update(update: Reader, forward_layers: list[Reader], gradients: list[dict[str, list]], loss: Reader) -> None:
    settings = update.child("optimizer")
    rule = settings.choice("kind", OPTIMIZERS)(settings)
    settings.done()

    after: list[dict[str, list]] = []
    for (layer, forward), layer_gradients in zip(_reversed_pairs(update, forward_layers), gradients, strict=True):
        parameters = layer.child("parameters")
        after.append({})
        for name, before in forward.seen["parameters"].items():
            parameter = parameters.child(name)
            change = rule(parameter, layer_gradients[name])
            after[-1][name] = parameter.check("after", each(lambda w, c: w + c, before, change))
            parameter.done()
        parameters.done()
        layer.done()

    if update.has("loss_after"):
        update.check("loss_after", _loss_with(forward_layers, after[::-1], loss))
    update.done()


def _loss_with(forward_layers: list[Reader], parameters: list[dict[str, list]], loss: Reader) -> float:
    """The loss of the same batch with these parameters: a second forward pass, not in the trace."""
    layers = [
        Draft({**layer.value, "parameters": values}, layer.pointer, layer.findings)
        for layer, values in zip(forward_layers, parameters, strict=True)
    ]
    outputs = _up(layers, forward_layers[0].seen["inputs"])
    of_example, _ = loss.choice("kind", LOSSES)
    return mean([of_example(*rows) for rows in zip(loss.seen["targets"], outputs, strict=True)])


def _reversed_pairs(section: Reader, forward_layers: list[Reader]) -> list[tuple[Reader, Reader]]:
    """The section's layers, each with its forward layer: the same names, from the output layer down."""
    layers = section.children("layers", length=len(forward_layers))
    pairs = list(zip(layers, reversed(forward_layers), strict=True))
    for layer, forward in pairs:
        layer.same("name", forward.text("name"))
    return pairs


def main() -> int:
    arguments = argparse.ArgumentParser(description="Recompute every number of a trace, tolerance zero.")
    arguments.add_argument("file", nargs="?", default="-", help="a trace as JSON; - or nothing reads standard input")
    name = arguments.parse_args().file
    try:
        if name == "-":
            text = sys.stdin.read()
        else:
            with open(name, encoding="utf-8") as file:
                text = file.read()
        trace = parse(text)
    except (OSError, ValueError, RecursionError) as problem:
        print(f"cannot read {name}: {problem}", file=sys.stderr)
        return 2

    findings = examine(trace)
    for mismatch in findings.mismatches[:MISMATCHES_PRINTED]:
        print(mismatch)
    if len(findings.mismatches) > MISMATCHES_PRINTED:
        print(f"... and {len(findings.mismatches) - MISMATCHES_PRINTED} more")
    if not findings.mismatches:
        print(f"{findings.recomputed} numbers recomputed, all equal")
    return 1 if findings.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
