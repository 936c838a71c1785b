"""A process that copies a store and kills itself on the way.

Arguments: source, target, and the table after whose rows to die, or after_commit.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from autotuner.store.location import parse_location
from autotuner.store.transfer import copy_rows, reading, writing


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def copy(source: str, target: str, instant: str) -> None:
    """Copy up to the instant."""

    def tell(table: str, done: int, total: int) -> None:
        if table == instant and done == total:
            die()

    old, new = parse_location(source), parse_location(target)
    with reading(old) as before, writing(new) as after:
        copy_rows(before, old, after, tell)
    die()


if __name__ == "__main__":
    copy(*sys.argv[1:])
