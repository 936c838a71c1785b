"""Messages between the client and its worker process: one line of JSON each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, field_validator

from autotuner.contracts.attempt import Failure
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.contracts.values import Frozen
from autotuner.contracts.workload import LoadPoint, Workload


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
    done_rates: tuple[tuple[str, float], ...] = Field((), description="as in AttemptJob")
    slo_limits: dict[str, float]
    artefacts: str
    salt: str = Field(description="distinguishes the prompts of this server start from those of others")
    prompt_token_ids: tuple[int, int] | None = Field(
        None, description="prompts are token ids drawn from [low, high); None: words"
    )
    server_pid: int | None = Field(None, description="root of the server's processes, left out of foreign CPU use")
    cores: tuple[int, ...] | None = Field(None, description="cores watched for foreign CPU use; None: all")

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


class Ready(Frozen):
    """From the worker: started."""

    kind: Literal["ready"] = "ready"
    number: int = 0


class Progress(Frozen):
    """From the worker: live figures."""

    kind: Literal["progress"] = "progress"
    number: int
    figures: LiveFigures


class Result(Frozen):
    """From the worker: a finished measurement."""

    kind: Literal["result"] = "result"
    number: int
    measurement: Measurement


class Done(Frozen):
    """From the worker: the job is over and none of its connections is left."""

    kind: Literal["done"] = "done"
    number: int
    failure: Failure | None = None


Order = Annotated[Measure | Cancel, Field(discriminator="kind")]
Report = Annotated[Ready | Progress | Result | Done, Field(discriminator="kind")]

ORDERS: TypeAdapter[Measure | Cancel] = TypeAdapter(Order)
REPORTS: TypeAdapter[Ready | Progress | Result | Done] = TypeAdapter(Report)

LINE_LIMIT = 64 * 1024 * 1024


def line(message: Frozen) -> bytes:
    """The message as a line."""
    return message.model_dump_json().encode() + b"\n"
