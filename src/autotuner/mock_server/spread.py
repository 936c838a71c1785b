"""Distributions of times, as multiples of their mean or of a unit."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist, fmean

CONSTANT = "constant"

_TABLE = 4096
"""Equally likely quantiles in a drawn order: one look-up per token, and the mean over the table is exactly 1."""
_STEP = 2654435761
"""Spreads the requests' beginnings over the table (Knuth's multiplicative hash)."""

_SHAPES: dict[str, Callable[[float, float], float]] = {
    # Of a share between 0 and 1 and the width; the mean is made 1 afterwards.
    "normal": lambda share, sd: max(0.0, NormalDist(1.0, sd).inv_cdf(share)),
    "lognormal": lambda share, sigma: math.exp(NormalDist(0.0, sigma).inv_cdf(share)),
    "exponential": lambda share, _: -math.log1p(-share),
}


class Spread:
    """Multiples by request and place: the same for the same seed, whatever is served beside."""

    def __init__(self, multiples: list[float]) -> None:
        self._multiples = multiples

    def at(self, request: int, place: int) -> float:
        """The multiple for the ``place``-th draw of that request."""
        multiples = self._multiples
        return multiples[(request * _STEP + place) % len(multiples)]


def read_spread(text: str, seed: int) -> Spread | None:
    """A distribution in the words of the options; None: constant. ValueError for another word or an unreadable file."""
    name, _, parameter = text.partition(":")
    rng = random.Random(f"spread {seed} {text}")
    if name == CONSTANT and not parameter:
        return None
    if name in ("values", "file"):
        multiples = _numbers(parameter) if name == "values" else _numbers(_read(parameter))
        # Each value equally often, in an order that does not repeat soon.
        multiples = multiples * max(1, _TABLE // len(multiples))
    elif name in _SHAPES:
        shape, width = _SHAPES[name], _width(name, parameter)
        drawn = [shape((place + 0.5) / _TABLE, width) for place in range(_TABLE)]
        mean = fmean(drawn)
        multiples = [multiple / mean for multiple in drawn]
    else:
        raise ValueError(f"{text!r} is none of constant, {', '.join(_SHAPES)}, values and file")
    rng.shuffle(multiples)
    return Spread(multiples)


def _width(name: str, parameter: str) -> float:
    if name == "exponential":
        if parameter:
            raise ValueError("exponential has no parameter")
        return 0.0
    try:
        width = float(parameter)
    except ValueError:
        width = 0.0
    if not 0 < width < 10:
        raise ValueError(f"{name} needs a width above 0, such as {name}:0.2")
    return width


def _numbers(text: str) -> list[float]:
    numbers = [float(word) for word in text.replace(",", " ").split()]
    if not numbers or not all(0 <= number < math.inf for number in numbers):
        raise ValueError("needs numbers that are not negative")
    return numbers


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from error
