"""Generation F, today: ``best_config_topn.csv`` and ``pareto.csv``, one row for each configuration, with predictions.

A mapping with the columns of one row (what ``EstimateResult.get()`` gives) is read as such a row.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace

from autotuner.aiconfigurator.content import Content, Role, Server
from autotuner.aiconfigurator.mapping import FileMapping
from autotuner.aiconfigurator.servers import SHORT, concrete, model_of, precisions
from autotuner.config.problems import DocumentError, Problem
from autotuner.config.text import Data
from autotuner.contracts.errors import ErrorCode

MAX_ROWS = 10_000
MAX_COLUMNS = 256
MAX_CELL = 10_000
"""Characters of one cell."""

FIGURES = {
    "ttft": "ttft",
    "tpot": "tpot",
    "request_latency": "request_latency",
    "tokens/s": "throughput",
    "tokens/s/gpu": "throughput_per_gpu",
    "seq/s": "requests",
}
"""Column → figure of a content. Those of throughput are of one server."""

OTHER_FIGURES = (
    "request_rate", "encoder_latency", "encoder_memory", "seq/s/gpu", "tokens/s/user", "memory", "balance_score",
    "num_ctx_reqs", "num_gen_reqs", "num_tokens", "gen_tokens", "power_w", "power_coverage", "tokens/s/gpu_cluster",
    "global_bs", "parallel", "version", "ctx_tokens", "comm", "num_total_gpus",
)  # fmt: skip
OF_SERVERS = ("global_bs", "parallel", "version", "memory", "seq/s/worker", "bs", "comm", "system", "backend", "cp")
ENCODER = tuple(f"(e){name}" for name in ("workers", "tp", "pp", "bs", "parallel", "memory"))

PREFIXES: Mapping[Role, str] = {"agg": "", "prefill": "(p)", "decode": "(d)"}

MARKS = frozenset({"isl", "osl", "num_total_gpus", "concurrency"})


def is_header(line: str) -> bool:
    """Whether the first line of a text is the header of such a table."""
    if len(line) > MAX_COLUMNS * 64:
        return False
    columns = {column.strip() for column in line.split(",")}
    return "model" in columns and len(MARKS & columns) >= 3


def is_row(keys: frozenset[str]) -> bool:
    """Whether a mapping with these keys is one row."""
    return keys >= MARKS and ("tp" in keys or "(p)tp" in keys)


def rows(text: str, *, name: str) -> list[dict[str, Data]]:
    """The rows of a table, the best first, with their cells as values. DocumentError."""
    lines = text.removeprefix("\ufeff").splitlines()
    try:
        table = list(csv.reader(lines[: MAX_ROWS + 2], strict=True))
    except csv.Error as error:
        raise _broken(name, f"it is no table: {error}") from None
    header = [column.strip() for column in table[0]] if table else []
    if len(header) > MAX_COLUMNS or len(set(header)) != len(header):
        raise _broken(name, f"a column is given twice, or there are more than {MAX_COLUMNS}")
    if len(table) > MAX_ROWS + 1:
        raise _broken(name, f"it has more than {MAX_ROWS} rows", "Keep those that are wanted")
    found: list[dict[str, Data]] = []
    for number, cells in enumerate(table[1:], 2):
        if not cells:
            continue
        if len(cells) != len(header):
            raise _broken(name, f"line {number} has {len(cells)} cells, and the header has {len(header)}")
        found.append({column: _value(cell, name, number) for column, cell in zip(header, cells, strict=True)})
    if not found:
        raise _broken(name, "it has no rows", "Run aiconfigurator again: it found no configuration")
    return found


def read(row: FileMapping, *, number: int, of: int) -> Content:
    """What a row says. ``number``: which one it is, from 1, of how many. DocumentError."""
    asked: tuple[Role, ...] = ("prefill", "decode") if row.given("(p)tp") else ("agg",)
    servers = tuple(_server(row, role) for role in asked)
    first = PREFIXES[asked[0]]
    figures = {name: row.positive(column) for column, name in FIGURES.items()}
    if len(asked) > 1:
        # Of prompts' and answers' servers together.
        figures = {name: value for name, value in figures.items() if name in ("ttft", "tpot", "request_latency")}
    remarks = [] if of == 1 else [f"row {number} of {of} is taken; --row names another one"]
    gpus = row.size("num_total_gpus")
    content = Content(
        generation="F",
        raw=row.raw(),
        model=model_of(row, "model"),
        servers=servers,
        backend=row.text(f"{first}backend"),
        system=row.text(f"{first}system"),
        total_gpus=gpus,
        isl=row.tokens("isl"),
        osl=row.tokens("osl"),
        prefix=row.tokens("prefix", low=0),
        predictions=row.raw(),
        predicted={name: value for name, value in figures.items() if value is not None},
        remarks=tuple(remarks),
    )
    of_servers = [f"{PREFIXES[role]}{name}" for role in asked for name in OF_SERVERS]
    # Figures are kept as predictions, so there is nothing to say of them.
    row.ignore((*FIGURES, *OTHER_FIGURES, *ENCODER, *of_servers, "concurrency"))
    return replace(content, unknown=row.rest())


def _server(row: FileMapping, role: Role) -> Server:
    prefix = PREFIXES[role]
    keys = {size: f"{prefix}{key}" for size, key in SHORT.items()}
    made = concrete(row, role, keys=keys, batch=row.whole(f"{prefix}bs"), count=row.size(f"{prefix}workers"))
    precision, places = precisions(row, prefix=prefix, suffix="")
    return replace(made, precision=precision, places=places)


def _value(cell: str, name: str, line: int) -> Data:
    text = cell.strip()
    if len(text) > MAX_CELL or "\0" in text:
        raise _broken(name, f"a cell of line {line} is no value")
    if text in ("", "None", "nan", "NaN"):
        return None
    for kind in (int, float):
        try:
            value = kind(text) if len(text) <= 40 else None
        except ValueError:
            continue
        # Neither 1_000 nor inf is a number of such a table.
        if value is not None and "_" not in text and abs(value) < 2**63:
            return value
    return text


def _broken(name: str, why: str, remedy: str = "Give the table as aiconfigurator wrote it") -> DocumentError:
    return DocumentError(name, [Problem(ErrorCode.INVALID_DOCUMENT, "", why, remedy)])


def pick(table: Sequence[dict[str, Data]], number: int, *, name: str) -> dict[str, Data]:
    """The row of that number, from 1. DocumentError with how many there are."""
    if not 1 <= number <= len(table):
        raise DocumentError(
            name,
            [
                Problem(
                    ErrorCode.NOT_FOUND,
                    f"row {number}",
                    f"the table has {len(table)} rows",
                    f"Name one of 1 to {len(table)}",
                )
            ],
        )
    return table[number - 1]
