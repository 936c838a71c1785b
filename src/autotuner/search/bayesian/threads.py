"""Linear algebra in one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """No helpers for what runs inside: the matrices have some tens of rows, and handing them over costs more than it
    saves. The limit ends with the block.
    """
    # Looked up each time: a library that was loaded since has threads of its own.
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        yield
