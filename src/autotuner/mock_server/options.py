"""How the mock server behaves."""

from __future__ import annotations

import random
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from autotuner.contracts.load_curve import LoadCurve
from autotuner.contracts.values import Frozen
from autotuner.mock_server.spread import CONSTANT, read_spread


class Fault(StrEnum):
    """What an answer that goes wrong does. The middle is where half of the tokens asked for were written."""

    ERROR_500 = "error_500"
    ERROR_429 = "error_429"
    NO_ANSWER_CLOSE = "no_answer_close"
    HANG_BEFORE = "hang_before"
    HANG_MIDDLE = "hang_middle"
    TRICKLE = "trickle"
    CUT = "cut"
    RESET = "reset"
    EARLY_END = "early_end"
    ERROR_PAYLOAD = "error_payload"
    ERROR_EVENT = "error_event"
    NO_USAGE = "no_usage"
    WRONG_USAGE = "wrong_usage"
    EMPTY = "empty"


FAULTS = (
    "what goes wrong: error_500, error_429 (with Retry-After): instead of an answer; no_answer_close: the connection "
    "is closed instead; hang_before, hang_middle: nothing more is written; trickle: from the middle on a byte now and "
    "then, for ever; cut: the connection is closed in the middle, reset: with a TCP reset; early_end: the body ends "
    "cleanly in the middle; error_payload: an error inside a 200 stream, error_event: the same as an `event: error`; "
    "no_usage; wrong_usage: the figures are texts; empty: no token at all"
)


class Words(StrEnum):
    """What the answers say."""

    PLAIN = "plain"
    AWKWARD = "awkward"


class MockOptions(Frozen):
    """Settings of a mock server. Times in seconds. What is drawn is drawn from ``seed`` and the request's number."""

    ttft_s: float = Field(0.05, ge=0, description="from the request being read to its first token")
    ttft_spread: str = Field(
        CONSTANT,
        description="distribution of ttft, as multiples of --ttft-s: constant, normal:SD, lognormal:SIGMA, "
        "exponential, values:1,1,5 (each equally likely) or file:PATH with a number per line; normal is cut off at 0",
    )
    token_s: float = Field(0.01, ge=0, description="between two tokens of one request")
    token_spread: str = Field(CONSTANT, description="distribution of the time between tokens, in the same words")
    tokens_per_chunk: int = Field(1, ge=1, description="tokens in each streamed chunk")
    most_tokens_per_chunk: int | None = Field(
        None, ge=1, description="each chunk holds a drawn number of tokens, from --tokens-per-chunk up to this"
    )
    words: Words = Field(
        Words.PLAIN,
        description="what answers say; awkward: with non-ASCII and escaped characters, quotes, and words such as "
        "usage, error and [DONE]",
    )
    cut_bytes: int | None = Field(
        None,
        ge=1,
        description="the streamed bytes are written in pieces of 1 to so many bytes, which end anywhere: inside "
        "chunk sizes, `data:` or a character",
    )
    cut_gap_s: float = Field(0.0, ge=0, description="between two such pieces")
    seed: int = Field(0, description="of all that is drawn")
    logprobs: bool = Field(
        True,
        description="whether completions that are not streamed carry log-probabilities when they are asked for",
    )
    degraded: float = Field(
        0.0,
        ge=0,
        description="answers that are not streamed get worse, as by quantisation: standard deviation of what is added "
        "to the logits at each place of each prompt, nats",
    )
    logprob_noise: float = Field(
        0.0, ge=0, description="the same, drawn anew for each request, as batching changes the order of additions, nats"
    )
    usage: bool = Field(True, description="whether answers carry a usage figure")
    continuous_usage: bool = Field(False, description="every chunk of a stream carries the usage so far")
    cached_prompt_tokens: int | None = Field(
        None, ge=0, description="so many prompt tokens of each request (or all, when it has fewer) are told as cached"
    )
    fault: Fault | None = Field(None, description=FAULTS)
    fault_every: int = Field(1, ge=1, description="every so many-th request has --fault")
    faults: dict[Fault, float] = Field(
        default_factory=dict,
        description="faults with their probabilities, such as error_500=0.02,cut=0.01; drawn for each request",
    )
    retry_after_s: int = Field(1, ge=0, description="what error_429 asks for")
    trickle_s: float = Field(0.05, gt=0, description="between two bytes of trickle")
    refuse_after: int | None = Field(
        None, ge=1, description="after so many requests nothing listens any more: connections are refused"
    )
    api_key: str | None = Field(None, description="required as bearer token when set")
    model: str = Field("mock", description="name of the served model")
    words_per_token: float = Field(1.0, gt=0, description="of text prompts: words / this = prompt tokens")
    answers_per_connection: int | None = Field(
        None, ge=1, description="the connection is closed, unannounced, after so many answers"
    )
    max_batch: int | None = Field(
        None, ge=1, description="load-dependent mode: so many requests are served at once, the others wait in order"
    )
    slowdown: float = Field(
        0.0,
        ge=0,
        description="load-dependent mode: each further request being served lengthens ttft and token_s by this",
    )
    curve: LoadCurve | None = Field(
        None, description="ttft and time between tokens by the present load, in place of ttft_s, token_s and max_batch"
    )
    metrics: dict[str, str] = Field(
        default_factory=dict, description="figure → name that /metrics gives it; empty: there is no /metrics"
    )
    kv_tokens: int = Field(65536, ge=1, description="tokens that the pretended KV cache holds, for /metrics")
    tick_s: float = Field(
        0.0005, ge=0, description="tokens that fall due within so much time are written together, the first ones late"
    )
    tls_cert: Path | None = Field(None, description="PEM file with the certificate: the server speaks HTTPS")
    tls_key: Path | None = Field(None, description="PEM file with its key")

    @field_validator("faults", mode="before")
    @classmethod
    def _read_faults(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        pairs = [entry.partition("=") for entry in given.split(",") if entry.strip()]
        return {name.strip(): share or "1" for name, _, share in pairs}

    @field_validator("ttft_spread", "token_spread")
    @classmethod
    def _is_a_spread(cls, given: str) -> str:
        read_spread(given, 0)
        return given

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if any(share < 0 for share in self.faults.values()) or sum(self.faults.values()) > 1:
            raise ValueError("faults: the probabilities are not negative and make at most 1 together")
        if self.most_tokens_per_chunk is not None and self.most_tokens_per_chunk < self.tokens_per_chunk:
            raise ValueError("most_tokens_per_chunk is less than tokens_per_chunk")
        if self.curve is not None and (self.max_batch is not None or self.slowdown):
            raise ValueError("max_batch and slowdown have no meaning beside a curve, which holds the queue already")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key are given together")
        return self

    def fault_of(self, number: int) -> Fault | None:
        """The fault of the request with that number, from 1: a drawn one, else the one that comes every so often."""
        if self.faults:
            drawn = random.Random(f"fault {self.seed} {number}").random()
            for fault, share in self.faults.items():
                if drawn < share:
                    return fault
                drawn -= share
        return self.fault if self.fault is not None and number % self.fault_every == 0 else None
