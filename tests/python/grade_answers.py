"""What an answer to a claim must say, by the plain trainer's numbers alone."""

import struct

from grade_cases import Scene
from grade_claims import CONVENTIONS, FAR, NEAR, NEITHER, Claimed, claimed_numbers, sign_of
from plain_mistakes import RIGHT, WAYS

SIGNS = {1.0: "downhill", -1.0: "gradient"}


def judge(scene: Scene, claim: dict, code: str | None = None) -> dict:
    """Grades a claim that was made with that mistake, or right; holds the answer to all that can be said of it."""
    answer, told = scene.grade(claim), claimed_numbers(claim)
    assert answer["compared"] == len(told)
    nearest = scene.told(RIGHT).worst(told)
    assert answer["verdict"] == "wrong" or nearest != FAR, answer
    assert answer["verdict"] == "right" or nearest != NEAR, answer
    names = [mistake["code"] for mistake in answer["mistakes"]]
    if answer["verdict"] == "right":
        assert names == [] and answer["first_wrong"] is None
        sign_fits(scene, told, answer)
        return answer
    if code:
        assert code in names, answer
    for other in WAYS:
        near = scene.nearest(told, other)
        # Named is whatever gives these numbers, and nothing that gives others.
        assert other not in names or near != FAR, (other, answer)
        assert other in names or near != NEAR, (other, answer)
    first_wrong_fits(scene, told, answer)
    return answer


def sign_fits(scene: Scene, told: list[Claimed], answer: dict) -> None:
    """Told by errors and deltas or, where none are claimed, by gradients; numbers that are all zero tell nothing."""
    shown = [one for one in told if one.quantity.startswith("/backward/") and one.value != 0.0]
    blame = [one for one in shown if "/gradients/" not in one.quantity]
    if not shown:
        assert answer["sign"] is None
        return
    fitting = [one for one in CONVENTIONS if scene.told(RIGHT).worst_in(told, one) != FAR]
    assert answer["sign"] in {SIGNS[blame_sign] if blame else SIGNS[-sign] for blame_sign, sign in fitting}


def first_wrong_fits(scene: Scene, told: list[Claimed], answer: dict) -> None:
    """In one of the conventions everything before it may be right, it is not, and none stays right for longer."""
    found, right = answer["first_wrong"], scene.told(RIGHT)
    by_pointer, quantities = {one.pointer: one for one in told}, {one.quantity: None for one in told}
    other_shape = {one.quantity for one in told if one.pointer not in right.value}
    # All that the trace has where the claim has something, in the trace's order.
    wanted = [one for one in right.numbers if one[0] in quantities]
    place = [pointer for _, pointer, _ in wanted].index(found["pointer"])
    quantity, _, value = wanted[place]
    order = {quantity: number for number, (quantity, _, _) in enumerate(wanted)}

    def judged(pointer: str, quantity: str, convention: tuple[float, float]) -> int:
        if pointer in by_pointer:
            return right.judge(by_pointer[pointer], convention)
        return FAR if quantity in other_shape else NEAR

    fits = []
    for convention in CONVENTIONS:
        nearness = [judged(pointer, quantity, convention) for quantity, pointer, _ in wanted]
        first_far = nearness.index(FAR) if FAR in nearness else len(wanted)
        off = abs(found["expected"] - sign_of(quantity, convention) * value)
        is_own = off <= 1e-9 * right.largest[quantity] and nearness[place] != NEAR
        fits.append(is_own and place <= first_far)
        # No other convention is surely right for longer.
        assert NEITHER in nearness or order[wanted[first_far][0]] <= order[quantity]
    assert any(fits), answer
    got = by_pointer[found["pointer"]].value if found["pointer"] in by_pointer else None
    assert found["got"] == got
    if got is None:
        assert found["relative_error"] is None and found["ulps"] is None
        return
    off, expected = abs(got - found["expected"]), abs(found["expected"])
    assert found["relative_error"] == (off / expected if expected else None)
    assert found["ulps"] == min(abs(ordinal(got) - ordinal(found["expected"])), 2**53 - 1)


def ordinal(value: float) -> int:
    """The doubles in their order, counted from zero."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    return bits if bits >= 0 else -(2**63) - bits
