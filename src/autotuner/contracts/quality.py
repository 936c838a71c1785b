"""What a server answers to fixed prompts, and how far that is from what the baseline answered."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from autotuner.contracts.values import Frozen

OUTPUT_TOKENS = 16
"""Length of each answer. Many short answers tell more than a few long ones: after the first token that differs, two
answers have nothing in common that could be compared."""

TOP = 5
"""So many of the likeliest tokens are asked for at each position; some servers refuse more."""

PASSES = (8,)
"""Requests in flight in each pass over the prompts."""

BASELINE_PASSES = (1, 8, 8, 8)
"""The baseline's first pass is what all others are compared with; the further ones tell what batching alone does."""


class PromptSet(Frozen):
    """The prompts that servers are asked."""

    path: str | None = Field(None, description="absolute path of the user's file; None: the built-in set")
    sha256: str = Field(description="hash of the prompts")
    prompts: int = Field(ge=1, description="number of prompts")
    longest_request: int = Field(ge=1, description="longest prompt and its answer, tokens; on the safe side")


class QualityProbe(Frozen):
    """How a server is asked for its answers, before its load is measured."""

    prompts: PromptSet
    output_tokens: int = Field(OUTPUT_TOKENS, ge=1, description="length of each answer, tokens")
    top: int = Field(TOP, ge=1, description="likeliest tokens that are asked for at each position")
    passes: tuple[int, ...] = Field(
        PASSES, min_length=1, description="requests in flight in each pass over all prompts"
    )
    budget_s: float = Field(600.0, gt=0, description="limit for all passes together, seconds")


class AnsweredToken(Frozen):
    """One position of an answer."""

    token: str = Field(description="the token that was taken: its number where the server tells it, else its text")
    top: dict[str, float] = Field(description="log-probabilities of the likeliest tokens, nats")


class Answer(Frozen):
    """The answer to one prompt."""

    text: str
    tokens: tuple[AnsweredToken, ...] = Field((), description="empty: the server tells no log-probabilities")


class Answers(Frozen):
    """One pass over all prompts."""

    prompts: str = Field(description="hash of the prompts")
    answers: tuple[Answer | None, ...] = Field(description="in the order of the prompts; None: there is none")
    error: str | None = Field(None, description="why the first of those that are missing is missing")


class AnswerFigures(Frozen):
    """How far the answers of one server are from those of another one."""

    difference: float = Field(ge=0, le=1, description="share of the answers from the first token on that differs")
    unit: Literal["tokens", "characters"] = Field(
        description="what is counted; characters where a server tells no tokens"
    )
    distance: float | None = Field(
        None, ge=0, description="mean difference of log-probabilities at equal prefixes, nats; None: not told"
    )
    prompts: int = Field(ge=1, description="prompts that both answered")

    @property
    def agreement(self) -> float:
        """Share of the answers up to the first token that differs."""
        return 1.0 - self.difference


class JudgedAnswers(Frozen):
    """What is stored of the answers of one start."""

    figures: AnswerFigures | None = Field(
        None, description="against the baseline; of the baseline: the most that its own passes differ"
    )
    differs: bool | None = Field(
        None, description="whether that is more than an unchanged setting shows; None: of the baseline, or not judged"
    )
    failure: str | None = Field(None, description="why nothing can be said, if so")
    reference: Answers | None = Field(None, description="of the baseline: the pass that others are compared with")
