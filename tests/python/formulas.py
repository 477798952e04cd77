"""The formulas of a worked solution read back from LaTeX and computed anew: nothing here is shared with the server."""

import math
import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?: \\cdot 10\^\{-?\d+\})?")


def rounded(value, digits):
    """A double to so many significant digits, to the nearest; what is exact in fewer keeps its value."""
    shortest = Decimal(repr(float(value)))
    if len(shortest.normalize().as_tuple().digits) <= digits:
        return abs(shortest)
    return abs(Context(prec=digits, rounding=ROUND_HALF_EVEN).create_decimal(Decimal(float(value))))


def floats(value):
    """Every number in a value."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from floats(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from floats(inner)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield float(value)


def displays(text):
    return re.findall(r"\$\$\n(.*?)\n\$\$", text, re.S)


def displays_of_latex(text):
    return re.findall(r"\\\[\\fitted\{\$\\displaystyle\n(.*?)\n\$\}\\\]", text, re.S)


def bare(formula):
    """A formula without names: indices, layers, hats and primes are gone."""
    formula = re.sub(r"_\{(?:[^{}]|\{[^{}]*\})*\}", "", formula)
    formula = re.sub(r"\^\{\([^{}]*\)\}", "", formula)
    return formula.replace("'", "")


def numbers(formula):
    """Every number in a formula, without the powers of names and without the 2 of a square."""
    formula = bare(formula).replace("{}^{2}", "").replace("}^{2}", "}")
    return [decimal(found) for found in NUMBER.findall(formula)]


def decimal(text):
    plain, _, power = text.partition(" \\cdot 10^{")
    return Decimal(plain + ("e" + power.rstrip("}") if power else ""))


def argument(text, at):
    """What stands in the braces that open at a place, and where they have closed."""
    assert text[at] == "{", text[at:]
    depth = 0
    for end in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[at + 1 : end], end + 1
    raise AssertionError(f"braces stay open: {text[at:]}")


SLOPES = {
    "relu": lambda a: 1.0 if a > 0 else 0.0,
    "leaky_relu": lambda a: 1.0 if a > 0 else 0.01,
    "elu": lambda a: 1.0 if a > 0 else math.exp(a),
    "gelu": lambda a: phi(a) + a * math.exp(-a * a / 2) / math.sqrt(2 * math.pi),
    "silu": lambda a: sigma(a) * (1 + a * (1 - sigma(a))),
    "softplus": lambda a: 1.0 if a > 20 else sigma(a),
}
VALUES = {"leaky_relu": lambda a: a if a > 0 else 0.01 * a, "elu": lambda a: a if a > 0 else math.expm1(a)}


def phi(a):
    return 0.5 * math.erfc(-a / math.sqrt(2))


def sigma(a):
    return 1 / (1 + math.exp(-a))


def python(formula):
    """A formula of numbers as Python."""
    text = formula
    while "\\frac" in text:
        at = text.rindex("\\frac")
        top, middle = argument(text, at + 5)
        bottom, end = argument(text, middle)
        text = f"{text[:at]}(({python(top)})/({python(bottom)})){text[end:]}"
    text = re.sub(r"\\operatorname\{([a-z]+)(?:\\_)?([a-z]*)'\}", r"slope_\1_\2", text)
    text = re.sub(r"\\operatorname\{([a-z]+)(?:\\_)?([a-z]*)\}", r"value_\1_\2", text)
    text = re.sub(r" \\cdot 10\^\{(-?\d+)\}", r"e\1", text)
    for tex, plain in (("\\left(", "("), ("\\right)", ")"), ("\\cdot", "*"), ("\\tanh", "tanh"), ("\\exp", "exp"),
                       ("\\ln", "ln"), ("\\sqrt", "sqrt"), ("\\max", "max"), ("\\Phi", "phi"), ("\\sigma", "sigma"), (",\\ ", ","),
                       ("{", "("), ("}", ")")):
        text = text.replace(tex, plain)
    return re.sub(r"\^\((\d+)\)", r"**\1", text)


def value(formula):
    names = {"exp": math.exp, "sqrt": math.sqrt, "tanh": math.tanh, "max": max, "phi": phi, "sigma": sigma,
             "ln": lambda x: math.log(x) if x > 0 else -100.0}
    names |= {"slope_" + (name if "_" in name else name + "_"): of for name, of in SLOPES.items()}
    names |= {"value_" + (name if "_" in name else name + "_"): of for name, of in VALUES.items()}
    code = python(formula)
    assert "\\" not in code, (formula, code)
    return eval(code, {"__builtins__": {}}, names)  # noqa: S307 - of this server's own formulas


def sides(display):
    """The forms of an equation behind its name."""
    display = display.replace("\\begin{aligned}\n", "").replace("\n\\end{aligned}", "").replace("&", "").replace("\\\\", "")
    return [side.strip() for side in re.split(r"(?:=|\\approx) ", display)][1:]


def is_of_numbers(form):
    left = re.sub(r"\\operatorname\{[^{}]*\}|\\[a-zA-Z]+|10\^\{-?\d+\}", "", form)
    return "\\cdots" not in form and not re.search(r"[A-Za-z]", left)
