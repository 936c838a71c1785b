"""Messages between the executor and its process: one line of JSON each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from autotuner.contracts.attempt import AttemptJob, AttemptRecord, Failure
from autotuner.contracts.client import ClientError
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen


class Open(Frozen):
    """To the child, once: make the plug-ins and open the client."""

    kind: Literal["open"] = "open"
    plugins: str = Field(description="class of the plug-ins, module:qualname; made without arguments")
    client: str
    client_cores: tuple[int, ...] | None
    path: tuple[str, ...] = Field(description="where modules are looked for, as in the parent")


class Run(Frozen):
    """To the child: run this attempt. Sent only after the end of the one before."""

    kind: Literal["run"] = "run"
    job: AttemptJob


class Next(Frozen):
    """To the child: the reader has dealt with the record and asks for the next one."""

    kind: Literal["next"] = "next"


class Cancel(Frozen):
    """To the child: end the attempt; answered with ``Over``. A second one ends the server's grace."""

    kind: Literal["cancel"] = "cancel"


class Problem(Frozen):
    """An ``AutotunerError`` on its way."""

    code: ErrorCode
    what: str
    why: str
    remedy: str
    place: str | None

    @classmethod
    def of(cls, error: AutotunerError) -> Problem:
        """The error as a message."""
        return cls.model_validate(error.as_dict())

    def error(self) -> AutotunerError:
        """The error that it was."""
        return AutotunerError(self.code, self.what, why=self.why, remedy=self.remedy, place=self.place)


class Opened(Frozen):
    """From the child: the client is ready."""

    kind: Literal["opened"] = "opened"


class Refused(Frozen):
    """From the child: the client could not be opened."""

    kind: Literal["refused"] = "refused"
    reason: Failure | Problem

    def error(self) -> ClientError | AutotunerError:
        """What opening it raised."""
        return self.reason.error() if isinstance(self.reason, Problem) else ClientError(self.reason)


class Sent(Frozen):
    """From the child: a record. The child goes on with ``Next``."""

    kind: Literal["sent"] = "sent"
    record: AttemptRecord


class Over(Frozen):
    """From the child: the attempt is over and its server is gone. ``reason``: it was broken off by an error."""

    kind: Literal["over"] = "over"
    reason: Failure | Problem | None = None


Order = Open | Run | Next | Cancel
Report = Opened | Refused | Sent | Over

ORDERS: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="kind")])
REPORTS: TypeAdapter[Report] = TypeAdapter(Annotated[Report, Field(discriminator="kind")])

LINE_LIMIT = 64 * 1024 * 1024


def line(message: Frozen) -> bytes:
    """The message as a line."""
    return message.model_dump_json().encode() + b"\n"
