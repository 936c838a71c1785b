"""Files of requests: ``.jsonl`` or ``.csv`` with prompt, output_tokens and, to be replayed, timestamp."""

from __future__ import annotations

import csv
import io
import json
import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from statistics import fmean, median_low

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.workload import Dataset, Spread

MAX_BYTES = 256 * 1024**2
"""A larger file is refused: its content is held in memory while it is measured, so that no disk delays a request."""
MAX_LINE = 16 * 1024**2
MAX_TOKENS = 10_000_000
BYTES_PER_TOKEN = 2
"""Cautious: English text has about four. Only the estimate of the longest request hangs on it. A context that is too
small fails requests, one that is too large costs memory."""

PLACE = "benchmark.dataset.path"


@dataclass(frozen=True)
class Row:
    """One request. ``at``: seconds since the first one; None without timestamps."""

    prompt: str
    output_tokens: int
    at: float | None


def describe(path: Path) -> Dataset:
    """Read and check a whole file. AutotunerError: MISSING_FILE, INVALID_VALUE (with the number of the line)."""
    content = _content(path)
    characters, tokens = array("q"), array("q")
    longest = 0
    last: float | None = None
    for row in read_rows(content, path):
        characters.append(len(row.prompt))
        tokens.append(row.output_tokens)
        size = len(row.prompt.encode(errors="surrogatepass"))
        longest = max(longest, math.ceil(size / BYTES_PER_TOKEN) + row.output_tokens)
        last = row.at
    if not tokens:
        raise _unusable(path, "it holds no requests", "Give a file with at least one")
    return Dataset(
        path=str(path),
        sha256=sha256(content).hexdigest(),
        requests=len(tokens),
        prompt_characters=_spread(characters),
        output_tokens=_spread(tokens),
        duration_s=last,
        longest_request=longest,
    )


def content_of(dataset: Dataset) -> bytes:
    """The content of a described file. AutotunerError: MISSING_FILE, INVALID_VALUE if it is another one now."""
    path = Path(dataset.path)
    content = _content(path)
    if sha256(content).hexdigest() != dataset.sha256:
        raise _unusable(path, "it has changed since the task was planned", "Run the task again with --new")
    return content


def read_rows(content: bytes, path: Path) -> Iterator[Row]:
    """The requests of a file's content, one after the other; ``path`` tells the kind and stands in errors.

    AutotunerError(INVALID_VALUE) at the first line that is wrong.
    """
    kinds = {".jsonl": _json_lines, ".csv": _csv_lines}
    read = kinds.get(path.suffix.lower())
    if read is None:
        raise _unusable(path, f"its name ends with {path.suffix or 'nothing'!r}", "Give a file.jsonl or a file.csv")
    first: float | None = None
    before: float | None = None
    for count, (line, fields) in enumerate(read(content, path)):
        try:
            prompt, tokens = _prompt(fields.get("prompt")), _tokens(fields.get("output_tokens"))
            at = _timestamp(fields.get("timestamp"))
            if count == 0:
                first = at
            elif (at is None) != (first is None):
                raise ValueError("some requests have a timestamp and this one differs")
            elif at is not None and before is not None and at < before:
                raise ValueError("its timestamp is before the one above it; sort the file by time")
        except ValueError as problem:
            raise _unusable(path, f"line {line}: {problem}", "Correct the line, or leave it out") from None
        before = at
        yield Row(prompt, tokens, None if at is None or first is None else at - first)


def endless(content: bytes, path: Path, start: int) -> Iterator[Row]:
    """The requests from number ``start`` (from 0) on, and from the first again after the last."""
    while True:
        for number, row in enumerate(read_rows(content, path)):
            if number >= start:
                yield row
        start = 0


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise AutotunerError(
            ErrorCode.MISSING_FILE,
            f"the dataset {path.name} cannot be read",
            why=(error.strerror or str(error)).lower(),
            remedy="Give the path of a .jsonl or .csv file; a relative one counts from the current folder",
            place=PLACE,
        ) from None
    if len(content) > MAX_BYTES:
        raise _unusable(path, f"it is larger than {MAX_BYTES // 1024**2} MiB", "Take fewer requests: it is repeated")
    return content


def _json_lines(content: bytes, path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    for number, line in enumerate(_lines(content, path), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else "too deep, or a number too long"
            raise _unusable(path, f"line {number} is no JSON ({why})", "Write one JSON object per line") from None
        if not isinstance(fields, dict):
            raise _unusable(path, f"line {number} is no JSON object", "Write one JSON object per line")
        if number == 1 or "prompt" not in fields or "output_tokens" not in fields:
            _check_columns(fields, f"line {number} has", path)
        yield number, fields


def _csv_lines(content: bytes, path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.reader(_lines(content, path), strict=True)
    try:
        columns = next(reader, [])
        names = [name.strip() for name in columns]
        if names:
            _check_columns(names, "its first line has", path)
        for values in reader:
            if not values:
                continue
            if len(values) != len(names):
                why = f"line {reader.line_num} has {len(values)} values and the first line {len(names)} columns"
                raise _unusable(path, why, "Put quotes around text with commas")
            yield reader.line_num, {name: value or None for name, value in zip(names, values, strict=True)}
    except csv.Error as error:
        raise _unusable(
            path, f"line {reader.line_num}: {error}", "Correct the line; use .jsonl for prompts above 128 KiB"
        ) from None


def _check_columns(names: object, where: str, path: Path) -> None:
    found = set(names) if isinstance(names, list | dict) else set()
    missing = [name for name in ("prompt", "output_tokens") if name not in found]
    if missing:
        shown = ", ".join(sorted(map(str, found))[:10])
        raise _unusable(path, f"{where} no {' and no '.join(missing)}, only {shown or 'nothing'}", "Rename the columns")


def _lines(content: bytes, path: Path) -> Iterator[str]:
    file = io.BytesIO(content.removeprefix(b"\xef\xbb\xbf"))
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise _unusable(path, f"line {number} is longer than {MAX_LINE // 1024**2} MiB", "Shorten it")
        try:
            yield line.decode()
        except UnicodeDecodeError:
            raise _unusable(path, f"line {number} is not UTF-8 text", "Save the file as UTF-8") from None


def _prompt(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("prompt is empty" if value in (None, "") else f"prompt is {_shown(value)}, not text")
    return value


def _tokens(value: object) -> int:
    number = value
    if isinstance(value, str):
        number = int(value) if value.strip().isdecimal() and len(value) < 20 else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_TOKENS:
        raise ValueError(f"output_tokens is {_shown(value)}, not a whole number from 1 to {MAX_TOKENS}")
    return number


def _timestamp(value: object) -> float | None:
    if value is None:
        return None
    seconds = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value) if abs(value) < 1e15 else math.nan
    elif isinstance(value, str):
        try:
            seconds = float(value)
        except ValueError:
            seconds = _iso(value)
    if not math.isfinite(seconds):
        raise ValueError(f"timestamp is {_shown(value)}, neither seconds nor a date and time (ISO 8601)")
    return seconds


def _iso(value: str) -> float:
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def _shown(value: object) -> str:
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _spread(values: array[int]) -> Spread:
    return Spread(least=min(values), median=median_low(values), mean=fmean(values), greatest=max(values))


def _unusable(path: Path, why: str, remedy: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.INVALID_VALUE, f"the dataset {path.name} cannot be used", why=why, remedy=remedy, place=PLACE
    )
