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

from rules.losses import LOSSES, mean
from rules.reader import Broken, Draft, Findings, Mismatch, Reader
from rules.stack import climb, descend, with_inner
from rules.update import check_update

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
    in_session = trace.has("session") or trace.has("step")
    if in_session:
        trace.text("session")
        step = trace.count("step")

    forward = trace.child("forward")
    layers, outputs = _forward(forward)
    has_backward = trace.has("backward") or trace.has("update")
    if trace.has("loss") or has_backward:
        loss = trace.child("loss")
        errors = _loss(loss, outputs)
    if has_backward:
        backward = trace.child("backward")
        backward_layers = descend(backward, layers, errors)
        backward.done()

        update = trace.child("update")
        # A step is told by its loss after; an update that was only computed, not made, would be the one after `step`.
        made = update.has("loss_after")
        # Replaced parameters and ways back are steps of the session too, but no updates.
        updates_max = step + (not made) if in_session else 1
        if updates_max == 0:
            raise trace.refuse("step", "1 or more, for a step was made")
        layers_after = check_update(update, layers, backward_layers, updates_max)
        if made:
            again = Draft({**forward.value, "layers": layers_after}, forward.pointer, forward.findings)
            update.check("loss_after", _loss_of(loss, _forward(again)[1]))
        update.done()
    trace.done()


def _forward(forward: Reader) -> tuple[list[Reader], Matrix]:
    layers = forward.children("layers")
    outputs = forward.check("outputs", climb(layers, forward.matrix("inputs")))
    _unique_names(layers)
    _one_mode(layers)
    forward.done()
    return layers, outputs


def _unique_names(layers: list[Reader]) -> None:
    names = set()
    for layer in with_inner(layers):
        if layer.text("name") in names:
            raise layer.refuse("name", "a name of its own")
        names.add(layer.text("name"))


def _one_mode(layers: list[Reader]) -> None:
    """A pass trains or it does not: no batch normalization or dropout may say otherwise than those before it."""
    modes = set()
    for layer in with_inner(layers):
        modes |= {layer.seen["mode"]} if "mode" in layer.seen else set()
        if len(modes) > 1:
            key = "statistics" if layer.has("statistics") else "mask"
            raise layer.refuse(key, "the mode of the layers before it")


def _loss(loss: Reader, outputs: Matrix) -> Matrix:
    """Checks the loss; answers the errors that it sends to the output layer."""
    of_example, errors_of_example = loss.choice("kind", LOSSES)
    targets = loss.matrix("targets", rows=len(outputs), columns=len(outputs[0]))
    per_example = loss.check("per_example", [of_example(*rows) for rows in zip(targets, outputs, strict=True)])
    loss.check("value", mean(per_example))
    loss.done()
    return [errors_of_example(*rows) for rows in zip(targets, outputs, strict=True)]


def _loss_of(loss: Reader, outputs: Matrix) -> float:
    """The loss that other outputs for the same targets would have."""
    of_example, _ = loss.choice("kind", LOSSES)
    return mean([of_example(*rows) for rows in zip(loss.seen["targets"], outputs, strict=True)])


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
