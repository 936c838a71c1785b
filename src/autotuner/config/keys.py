"""Which keys the document has, and what to say of one that it has not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autotuner.config.block import Block, block_of
from autotuner.config.document import TaskDocument
from autotuner.config.problems import Problem, nearest
from autotuner.contracts.errors import ErrorCode

_WRITTEN_BY_US = "assembled"
"""Block whose keys nobody means who writes a document."""


def blocks() -> Iterator[tuple[tuple[str, ...], type[Block]]]:
    """Every block with its path, outer ones first; the path of a block in a list has no index."""
    waiting: list[tuple[tuple[str, ...], type[Block]]] = [((), TaskDocument)]
    while waiting:
        path, block = waiting.pop(0)
        yield path, block
        for name, field in block.model_fields.items():
            inner = block_of(field.annotation)
            if inner is not None:
                waiting.append(((*path, name), inner))


def block_at(path: Sequence[str]) -> type[Block] | None:
    """The block that holds the key at the end of the path; None where keys are free or there is no block."""
    block: type[Block] = TaskDocument
    for name in path:
        if name.isdigit():
            continue
        field = block.model_fields.get(name)
        inner = block_of(field.annotation) if field is not None else None
        if inner is None:
            return None
        block = inner
    return block


def unknown_key(path: Sequence[str]) -> Problem:
    """What to say of the unknown key at the end of the path: its place and the nearest known key."""
    place, key = ".".join(path), path[-1]
    block = block_at(path[:-1])
    if block is not None and key in block.later:
        return Problem(
            ErrorCode.UNKNOWN_KEY,
            place,
            f"{key} is not available in this version",
            "Leave it out, or use a version that has it",
        )
    known = [name for name in block.known_keys() if name != _WRITTEN_BY_US] if block is not None else []
    meant = nearest(key, known)
    elsewhere = next(
        (".".join((*p, key)) for p, b in blocks() if p and p[0] != _WRITTEN_BY_US and key in b.model_fields), None
    )
    if meant is not None:
        remedy = f"Did you mean {'.'.join((*path[:-1], meant))}? If not, leave it out"
    elif elsewhere is not None:
        remedy = f"Did you mean {elsewhere}? If not, leave it out"
    else:
        remedy = f"Leave it out, or use one of {', '.join(known)}" if known else "Leave it out"
    return Problem(ErrorCode.UNKNOWN_KEY, place, f"{key!r:.80} is not a key of {_block_name(path)}", remedy)


def _block_name(path: Sequence[str]) -> str:
    return ".".join(path[:-1]) or "the document"
