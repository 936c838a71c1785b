"""The file with the request records of one measurement: gzip, a line of JSON per request after a header line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from autotuner.contracts.measurement import RequestRecord


def try_to_write_samples(
    folder: Path, header: dict[str, object], records: Sequence[RequestRecord]
) -> tuple[str | None, str | None]:
    """The name of the file that ``write_samples`` makes, or why it can't: a full disk costs the records, no figures."""
    try:
        return write_samples(folder, header, records), None
    except OSError as error:
        return None, error.strerror or str(error)


def write_samples(folder: Path, header: dict[str, object], records: Sequence[RequestRecord]) -> str:
    """Write the records into the next free ``samples-<n>.jsonl.gz`` of the folder and return the file's name.

    A finished file is never overwritten: a server start that is measured again keeps the earlier records. OSError when
    it can't be written; no part of it stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        path = folder / f"samples-{number}.jsonl.gz"
        try:
            file = path.open("xb")
        except FileExistsError:
            number += 1
            continue
        break
    try:
        with file, gzip.GzipFile(fileobj=file, mode="wb", compresslevel=3) as packed:
            packed.write(json.dumps(header).encode() + b"\n")
            for record in records:
                packed.write(record.model_dump_json(exclude_defaults=True).encode() + b"\n")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path.name


def read_samples(path: Path) -> tuple[dict[str, object], list[RequestRecord]]:
    """Header and records of such a file, as ``metrics.pool`` and ``metrics.aggregate`` take them."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        header: dict[str, object] = json.loads(next(lines))
        return header, [RequestRecord.model_validate_json(line) for line in lines]
