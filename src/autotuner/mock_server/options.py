"""How the mock server behaves."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from autotuner.contracts.values import Frozen


class Fault(StrEnum):
    """What an answer that goes wrong does."""

    ERROR_500 = "error_500"
    HANG_BEFORE = "hang_before"
    HANG_MIDDLE = "hang_middle"
    CUT = "cut"
    EARLY_END = "early_end"
    ERROR_PAYLOAD = "error_payload"
    NO_ANSWER_CLOSE = "no_answer_close"


class MockOptions(Frozen):
    """Settings of a mock server. Times in seconds."""

    ttft_s: float = Field(0.05, ge=0, description="from the request being read to its first token")
    token_s: float = Field(0.01, ge=0, description="between two tokens of one request")
    tokens_per_chunk: int = Field(1, ge=1, description="tokens in each streamed chunk")
    usage: bool = Field(True, description="whether answers carry a usage figure")
    fault: Fault | None = Field(
        None,
        description="error_500; hang_before or hang_middle (of the answer); cut: the connection drops in the middle; "
        "early_end: the body ends cleanly half way; error_payload: an error inside a 200 stream; no_answer_close: the "
        "connection is closed instead of an answer",
    )
    fault_every: int = Field(1, ge=1, description="every so many-th request has the fault")
    api_key: str | None = Field(None, description="required as bearer token when set")
    model: str = "mock"
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
