"""Messages between the client and its worker process: one line of JSON each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, field_validator

from autotuner.contracts.attempt import Failure
from autotuner.contracts.measurement import LiveFigures, Measurement, RequestRecord
from autotuner.contracts.values import Frozen
from autotuner.contracts.workload import LoadPoint, Workload

EndedRequest = tuple[float, float | None, float | None, float | None, bool]
"""When it was started, its ttft, tpot and e2e in seconds, and whether it succeeded."""


class Measure(Frozen):
    """To the worker: take the ``remaining`` measurements of a workload, in this order."""

    kind: Literal["measure"] = "measure"
    number: int
    base_url: str
    model: str
    api_key: str | None = Field(None, repr=False, description="a secret; travels in the pipe only")
    path: str = Field(description="of the completions endpoint")
    workload: Workload
    remaining: tuple[tuple[LoadPoint, int], ...] = Field(description="load point and repeat")
    slo_limits: dict[str, float]
    watched: bool = Field(False, description="whether windows may be ended early, so that the worker tells of each")
    artefacts: str
    salt: str = Field(description="distinguishes the prompts of this server start from those of others")
    prompt_token_ids: tuple[int, int] | None = Field(
        None, description="prompts are token ids drawn from [low, high); None: words"
    )
    share: tuple[int, int] = Field((0, 1), description="which of how many workers that measure together this one is")

    @field_validator("prompt_token_ids")
    @classmethod
    def _a_range(cls, span: tuple[int, int] | None) -> tuple[int, int] | None:
        if span is not None and not 0 <= span[0] < span[1]:
            raise ValueError("a range of token ids is [low, high) with 0 <= low < high")
        return span


class Cancel(Frozen):
    """To the worker: stop that job's requests at once; answered with ``Done``."""

    kind: Literal["cancel"] = "cancel"
    number: int


class Go(Frozen):
    """To each of several workers: all of them wait; go on at that time of the monotonic clock."""

    kind: Literal["go"] = "go"
    number: int
    at: float


class Shut(Frozen):
    """To each of several workers: close the window."""

    kind: Literal["shut"] = "shut"
    number: int
    load_point: str = Field(description="of the window that is meant")
    repeat: int
    reason: str | None = None


class Part(Frozen):
    """From each of several workers but the first, and handed on to that: what it has measured; ``last`` ends it."""

    kind: Literal["part"] = "part"
    number: int
    records: tuple[RequestRecord, ...]
    last: bool
    window_s: float
    stopped: str | None
    cpu_share: float
    loop_lag_p99_s: float | None


class Ready(Frozen):
    """From the worker: started."""

    kind: Literal["ready"] = "ready"
    number: int = 0


class Waiting(Frozen):
    """From one of several workers: it goes on when the others have come as far."""

    kind: Literal["waiting"] = "waiting"
    number: int


class Seen(Frozen):
    """What a worker knows of a running window: requests that have ended since it last told, those in flight, sums."""

    ended: tuple[EndedRequest, ...] = ()
    live: tuple[tuple[float, float | None], ...] = Field((), description="when started, and ttft if it has come")
    output_tokens: float = Field(description="that arrived since the opening")
    prompt_tokens: float = Field(description="of requests whose first token arrived since the opening")
    good: int = Field(description="requests that ended since the opening and keep the limits of a single one")


class Progress(Frozen):
    """From the worker: live figures, and how many requests of the window were started; `seen` if it is watched."""

    kind: Literal["progress"] = "progress"
    number: int
    figures: LiveFigures
    started: int = 0
    seen: Seen | None = None


class Result(Frozen):
    """From the (first) worker: a finished measurement, and when its window opened by the monotonic clock."""

    kind: Literal["result"] = "result"
    number: int
    measurement: Measurement
    opened: float


class Done(Frozen):
    """From the worker: the job is over and none of its connections is left."""

    kind: Literal["done"] = "done"
    number: int
    failure: Failure | None = None


Order = Measure | Cancel | Go | Shut | Part
Report = Ready | Waiting | Progress | Part | Result | Done

ORDERS: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="kind")])
REPORTS: TypeAdapter[Report] = TypeAdapter(Annotated[Report, Field(discriminator="kind")])

LINE_LIMIT = 64 * 1024 * 1024


def line(message: Frozen) -> bytes:
    """The message as a line."""
    return message.model_dump_json().encode() + b"\n"
