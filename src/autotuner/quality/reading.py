"""Completions with log-probabilities, in both forms that servers give them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from autotuner.contracts.quality import Answer, AnsweredToken

LEAST_LOGPROB = -50.0
"""Stands for anything less likely, also for servers' various figures for a probability of zero; nats."""

DECIMALS = 6


def read_answer(body: bytes) -> Answer:
    """The answer in the body of a completion. ValueError for anything else.

    Log-probabilities come as OpenAI's completions have them (tokens, top_logprobs) or as its chat has them (content).
    Without them the answer has its text alone.
    """
    found = json.loads(body)
    choices = found.get("choices") if isinstance(found, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    text = choice.get("text") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(text, str):
        raise ValueError("the answer is no completion")
    told = choice.get("logprobs")
    if not isinstance(told, dict):
        return Answer(text=text)
    return Answer(text=text, tokens=tuple(_by_content(told) if "content" in told else _by_lists(told)))


def _by_content(told: Mapping[str, Any]) -> Iterator[AnsweredToken]:
    for entry in _entries(told.get("content")):
        top = _entries(entry.get("top_logprobs"))
        yield AnsweredToken(token=_name(entry), top=_figures((_name(other), other.get("logprob")) for other in top))


def _by_lists(told: Mapping[str, Any]) -> Iterator[AnsweredToken]:
    tokens, tops = told.get("tokens"), told.get("top_logprobs")
    if not isinstance(tokens, list) or not isinstance(tops, list):
        return
    for token, top in zip(tokens, tops, strict=False):
        yield AnsweredToken(token=str(token), top=_figures(top.items() if isinstance(top, dict) else ()))


def _entries(given: object) -> list[dict[str, Any]]:
    return [entry for entry in given if isinstance(entry, dict)] if isinstance(given, list) else []


def _name(entry: Mapping[str, Any]) -> str:
    """The token's number, which is unique; different bytes may be shown as one text."""
    number = entry.get("id")
    return str(number) if isinstance(number, int) else str(entry.get("token", ""))


def _figures(pairs: Any) -> dict[str, float]:
    made: dict[str, float] = {}
    for name, value in pairs:
        if isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value):
            made[str(name)] = round(min(max(float(value), LEAST_LOGPROB), 0.0), DECIMALS)
    return made
