"""The notation of traffic, and mixtures of it. Lengths are in tokens, the prompt's first.

``D(100,100)``, ``N(480,240)/(300,150)``, ``U(50,100)/(200,250)`` and ``dataset`` are genai-bench's notation.
``P(1000,50)/100`` are prompts that share their first 1000 tokens and have 50 of their own. ``x3`` behind a scenario
makes it a conversation of three turns: ``D(200,100)x3``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.workload import Length, Scenario, Traffic

MAX_TOKENS = 10_000_000
_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:[eE]-?[0-9]{1,3})?"
_PAIR = rf"\(({_NUMBER}),({_NUMBER})\)"
_FIXED = re.compile(rf"[Dd]{_PAIR}")
_TWO_PAIRS = re.compile(rf"([NnUu]){_PAIR}/{_PAIR}")
_PREFIX = re.compile(rf"[Pp]{_PAIR}/({_NUMBER})")
_TURNS = re.compile(r"(.+[)0-9])[xX]([0-9]{1,9})")
MAX_TURNS = 1000
DATASET = "dataset"
_TERM = re.compile(rf"(?:({_NUMBER})\*)?(.+)")
_KNOWN_ELSEWHERE = {
    "E": "embedding traffic, E(…),",
    "R": "re-ranking traffic, R(…),",
    "I": "image traffic, I(…),",
    "V": "video traffic, V(…),",
}
_USE = "Use D(in,out), N(mean,sd)/(mean,sd), U(min,max)/(min,max), P(prefix,suffix)/out or dataset, such as D(100,100)"


def parse_traffic(text: str) -> Traffic:
    """The traffic that a text describes; its ``text`` is canonical and parses to an equal value.

    Weights of a mixture are shares of their sum; without any, all are equal. AutotunerError: INVALID_VALUE,
    or UNSUPPORTED for a notation that is known but not built.
    """
    squeezed = "".join(text.split())
    terms = _split(squeezed, "+")
    parts: list[tuple[float | None, Scenario]] = []
    for term in terms:
        found = _TERM.fullmatch(term)
        if found is None:
            raise _invalid(text, "a part of it is empty", _USE)
        weight = None if found[1] is None else float(found[1])
        if weight is not None and not 0 < weight <= 1e6:
            raise _invalid(text, f"the weight {found[1]} is not between 0 and 1000000", "Use weights such as 0.7*")
        parts.append((weight, _scenario(found[2], text)))
    if len(parts) == 1:
        scenario = parts[0][1]
        return Traffic(text=scenario.text, parts=((1.0, scenario),))
    missing = [weight is None for weight, _ in parts]
    if any(missing) and not all(missing):
        raise _invalid(text, "some parts of the mixture have a weight and some have none", "Give every part a weight")
    weighted = tuple((1.0 if weight is None else weight, scenario) for weight, scenario in parts)
    return Traffic(text="+".join(f"{_shown(w)}*{s.text}" for w, s in weighted), parts=weighted)


def split_scenarios(given: str | Iterable[str]) -> tuple[str, ...]:
    """The scenarios of a list, whose items may themselves be lists; commas inside parentheses separate nothing.

    ``"D(1,2),D(3,4)"`` is two; so is ``[D(1,2), D(3,4)]`` where YAML cut unquoted items at their commas.
    """
    joined = given if isinstance(given, str) else ",".join(given)
    return tuple(_split("".join(joined.split()), ","))


def _split(text: str, separator: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == separator and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _scenario(text: str, whole: str) -> Scenario:
    if text.lower() == DATASET:
        return Scenario(text=DATASET, prompt=Length(), output=Length(), from_dataset=True)
    if found := _TURNS.fullmatch(text):
        turns = int(found[2])
        if not 1 <= turns <= MAX_TURNS:
            raise _invalid(whole, f"{turns} turns are not between 1 and {MAX_TURNS}", "Write x3 for three turns")
        single = _single(found[1], whole)
        return single if turns == 1 else single.model_copy(update={"turns": turns, "text": f"{single.text}x{turns}"})
    return _single(text, whole)


def _single(text: str, whole: str) -> Scenario:
    if found := _PREFIX.fullmatch(text):
        prefix, suffix, out = (_tokens(number, whole, least=1) for number in found.groups())
        prompt, output = (Length(kind="fixed", mean=float(n)) for n in (prefix + suffix, out))
        return Scenario(text=f"P({prefix},{suffix})/{out}", prompt=prompt, output=output, prefix=prefix)
    if found := _FIXED.fullmatch(text):
        lengths = [_tokens(number, whole, least=1) for number in found.groups()]
        prompt, output = (Length(kind="fixed", mean=float(n)) for n in lengths)
        return Scenario(text=f"D({lengths[0]},{lengths[1]})", prompt=prompt, output=output)
    if found := _TWO_PAIRS.fullmatch(text):
        kind, numbers = found[1].upper(), found.groups()[1:]
        of_kind = _uniform if kind == "U" else _normal
        prompt, prompt_text = of_kind(numbers[0], numbers[1], whole)
        output, output_text = of_kind(numbers[2], numbers[3], whole)
        return Scenario(text=f"{kind}{prompt_text}/{output_text}", prompt=prompt, output=output)
    raise _not_understood(text, whole)


def _not_understood(text: str, whole: str) -> AutotunerError:
    lowered = text.lower()
    if lowered.startswith(DATASET) or lowered.endswith((".jsonl", ".csv", ".json")):
        return _invalid(
            whole, f"{text!r} is not how a dataset is named", "Write dataset, and its file in benchmark.dataset"
        )
    if text[:1].upper() in _KNOWN_ELSEWHERE and text[1:2] in ("(", ""):
        return _unsupported(whole, _KNOWN_ELSEWHERE[text[:1].upper()])
    if text[:1].upper() == "P":
        return _invalid(whole, f"{text} is not P(prefix,suffix)/out", "Write three lengths, such as P(1000,50)/100")
    if text[:1].upper() in ("N", "U") and "/" not in text:
        return _invalid(whole, f"{text} gives one pair of numbers and needs two", _USE)
    return _invalid(whole, f"{text!r} is not a scenario", _USE)


def _normal(mean: str, deviation: str, whole: str) -> tuple[Length, str]:
    values = _size(mean, whole, least=1), _size(deviation, whole, least=0)
    length = Length(kind="normal", mean=values[0], deviation=values[1])
    return length, f"({_shown(values[0])},{_shown(values[1])})"


def _uniform(low: str, high: str, whole: str) -> tuple[Length, str]:
    values = _tokens(low, whole, least=1), _tokens(high, whole, least=1)
    if values[0] > values[1]:
        raise _invalid(whole, f"the least length {low} is above the greatest {high}", "Swap the two")
    return Length(kind="uniform", low=values[0], high=values[1]), f"({values[0]},{values[1]})"


def _size(number: str, whole: str, *, least: int) -> float:
    value = float(number)
    if not least <= value <= MAX_TOKENS:
        raise _invalid(whole, f"{number} is not between {least} and {MAX_TOKENS}", "Give lengths in tokens")
    return value


def _tokens(number: str, whole: str, *, least: int) -> int:
    value = _size(number, whole, least=least)
    if value != int(value):
        raise _invalid(whole, f"{number} is not a whole number of tokens", "Give whole numbers")
    return int(value)


def _shown(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def _invalid(whole: str, why: str, remedy: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.INVALID_VALUE, f"the traffic scenario {whole.strip()!r:.80} cannot be read", why=why, remedy=remedy
    )


def _unsupported(whole: str, kind: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.UNSUPPORTED,
        f"the traffic scenario {whole.strip()!r:.80} cannot be used",
        why=f"{kind.rstrip(',')} is not available in this version",
        remedy=_USE,
    )
