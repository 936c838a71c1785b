"""Whether a configuration that failed is started again, and when it is condemned. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autotuner.contracts.attempt import Failure, FailureClass

DETERMINISTIC = frozenset({FailureClass.BAD_ARGUMENT, FailureClass.UNSUPPORTED, FailureClass.MISSING_MODEL})
"""Failures that a second start would only repeat."""

TRANSIENT = frozenset(
    {
        FailureClass.PORT,
        FailureClass.DOWNLOAD,
        FailureClass.UNREACHABLE,
        FailureClass.INFRASTRUCTURE,
        FailureClass.CLIENT,
    }
)
"""Failures that pass: of the host, the network or the client. They never condemn a configuration."""

NOT_OF_THE_CONFIGURATION = frozenset(
    {
        FailureClass.PORT,
        FailureClass.DOWNLOAD,
        FailureClass.INFRASTRUCTURE,
        FailureClass.CLIENT,
        FailureClass.CANCELLED,
    }
)
"""Failures from which a search learns nothing. A server that answers no request is not among them."""

BACK_OFF_S = (1.0, 4.0)
"""Waits before the further starts after transient failures: a port or a socket is free again within a second, a host
that is short of something needs a little longer, and a search should not stand still for more."""

AFTER_TEARDOWN_S = 10.0
"""So long after another server has ended its memory may not be given back yet: drivers free it in the background."""


@dataclass(frozen=True)
class FailedStart:
    """A start of a configuration that failed. ``before_ready``: its server had not answered yet.

    ``after_teardown_s``: seconds from the end of the start before it, of any configuration, to its own; None: there was
    none.
    """

    failure: Failure
    before_ready: bool = False
    after_teardown_s: float | None = None


@dataclass(frozen=True)
class Decision:
    """What to do after a failed start. ``delay_s``: start again after so many seconds; None: give up.

    ``condemned``: the configuration is never proposed or started again, until somebody asks for it. ``excused``: the
    last failure counts as one of the host.
    """

    delay_s: float | None
    condemned: bool = False
    excused: bool = False


def decide(rounds: Sequence[Sequence[FailedStart]], retries: int) -> Decision:
    """The decision after the last failed start, of which the last round has one at least.

    ``rounds``: the failed starts in order, split where the experiment was opened again. What was condemned before such
    an opening was tried again by hand: it is forgotten. The further starts are counted anew in each round. ``retries``:
    further starts after failures that are neither certain nor transient.
    """
    counted = _counted(rounds)
    last = counted[-1]
    if _condemned(counted):
        return Decision(None, condemned=True)
    if last.kind is FailureClass.CANCELLED:
        return Decision(None)
    own = counted[-len(rounds[-1]) :]
    alike = sum((start.kind in TRANSIENT) is (last.kind in TRANSIENT) for start in own)
    if last.kind in TRANSIENT:
        return Decision(BACK_OFF_S[alike - 1] if alike <= len(BACK_OFF_S) else None, excused=last.excused)
    return Decision(0.0 if alike <= retries else None)


def condemned(rounds: Sequence[Sequence[FailedStart]]) -> bool:
    """Whether these failed starts condemn their configuration; see ``decide``."""
    return _condemned(_counted(rounds))


@dataclass(frozen=True)
class _Counted:
    """As what a failed start counts."""

    kind: FailureClass
    certain: bool
    excused: bool


def _counted(rounds: Sequence[Sequence[FailedStart]]) -> list[_Counted]:
    """The starts that count: all since the last time that a condemned configuration was opened again."""
    counted: list[_Counted] = []
    for failed in rounds:
        if _condemned(counted):
            counted = []
        for start in failed:
            excused = _memory_not_back(start) and not any(earlier.excused for earlier in counted)
            kind = FailureClass.INFRASTRUCTURE if excused else start.failure.kind
            counted.append(_Counted(kind, start.failure.certain and not excused, excused))
    return counted


def _memory_not_back(start: FailedStart) -> bool:
    """Whether it may only have found the memory of the server before it not given back yet."""
    return (
        start.failure.kind is FailureClass.OOM
        and not start.failure.certain
        and start.before_ready
        and start.after_teardown_s is not None
        and start.after_teardown_s < AFTER_TEARDOWN_S
    )


def _condemned(counted: Sequence[_Counted]) -> bool:
    if any(start.certain or start.kind in DETERMINISTIC for start in counted):
        return True
    kinds = Counter(s.kind for s in counted if s.kind not in TRANSIENT and s.kind is not FailureClass.CANCELLED)
    return any(number >= 2 for number in kinds.values())
