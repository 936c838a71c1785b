"""Why a server process died, from how it ended and what it wrote. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass

from autotuner.contracts.attempt import Failure, FailureClass, LogPattern
from autotuner.deploy.local.supervisor import MARK

GENERAL_PATTERNS = (
    LogPattern(
        pattern=rf"^{MARK} ",
        kind=FailureClass.BAD_ARGUMENT,
        diagnosis="the server's command could not be started",
        hint="correct the command of the runtime; the log names the program",
    ),
    LogPattern(
        pattern=r"EADDRINUSE|[Aa]ddress already in use",
        kind=FailureClass.PORT,
        diagnosis="a port of the server was taken by another process",
        hint="nothing to do: the attempt is repeated on another port",
    ),
    LogPattern(
        pattern=r"^MemoryError|std::bad_alloc|[Oo]ut of memory",
        kind=FailureClass.OOM,
        diagnosis="the server could not get the memory it asked for",
        hint="lower what takes memory: context length, sequences at a time, cache sizes",
    ),
)


@dataclass(frozen=True)
class Exit:
    """How a process ended."""

    code: int | None = None
    """Exit code, or None when a signal ended it."""
    number: int | None = None
    """The signal."""
    memory_was_short: bool = False
    """The kernel has killed processes for want of memory meanwhile."""

    def __str__(self) -> str:
        if self.number is None:
            return f"exit code {self.code}"
        try:
            return f"signal {signal.Signals(self.number).name}"
        except ValueError:
            return f"signal {self.number}"


def diagnose(ended: Exit, patterns: Iterable[LogPattern], log: str, tail: str) -> Failure:
    """The first pattern, in their order, that a line of the log matches decides; else how the process ended."""
    if ended.number == signal.SIGKILL and ended.memory_was_short:
        return Failure(
            kind=FailureClass.OOM,
            diagnosis="the server was killed by the kernel because the host ran out of memory",
            hint="lower what takes memory: context length, sequences at a time, cache sizes",
            log_tail=tail,
        )
    lines = log.splitlines()
    for pattern in (*patterns, *GENERAL_PATTERNS):
        expression = re.compile(pattern.pattern)
        line = next((line.strip() for line in lines if expression.search(line)), None)
        if line is not None:
            return Failure(
                kind=pattern.kind,
                diagnosis=f"{pattern.diagnosis} ({line[:300]})",
                hint=pattern.hint,
                log_tail=tail,
                certain=pattern.certain,
            )
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    said = f"; its last line: {last[:300]}" if last else " without a word"
    return Failure(
        kind=FailureClass.CRASH,
        diagnosis=f"the server ended with {ended}{said}",
        hint="look into the server's log; try the command by hand",
        log_tail=tail,
    )
