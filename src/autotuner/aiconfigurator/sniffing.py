"""Which generation a file is of, and what it says. What is none of them is refused with what it may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autotuner.aiconfigurator import (
    generation_a,
    generation_b,
    generation_c,
    generation_d,
    generation_e,
    generation_f,
)
from autotuner.aiconfigurator.content import Content
from autotuner.aiconfigurator.mapping import FileMapping
from autotuner.config.problems import DocumentError, Problem, nearest
from autotuner.config.text import MAX_BYTES, Data, read, unreadable
from autotuner.contracts.errors import ErrorCode

MAX_EXPERIMENTS = 64


@dataclass(frozen=True)
class Chosen:
    """What of a file is wanted."""

    experiment: str | None = None
    """Of a file with several; None: all."""
    row: int | None = None
    """Of a table, from 1; None: the first."""


def read_text(text: str, *, name: str, chosen: Chosen | None = None) -> list[Content]:
    """What a file's text says, one content for each experiment. ``name`` stands for the file in errors.

    DocumentError: INVALID_DOCUMENT for text that is no file of aiconfigurator, with what it seems to be; INVALID_VALUE,
    UNSUPPORTED and NOT_FOUND for what such a file cannot say.
    """
    wanted = chosen or Chosen()
    if len(text) > MAX_BYTES:
        raise _refused(name, f"it has more than {MAX_BYTES} characters", "Give a file of aiconfigurator")
    if generation_f.is_header(text.removeprefix("\ufeff").partition("\n")[0]):
        return [_table(text, name, wanted)]
    if "dynamo." in text and text.startswith("#!"):
        raise _refused(name, "it is a launch script", "Give generator_config.yaml, which lies beside it")
    data = read(text, name=name)
    if not isinstance(data, dict):
        kind = "it is empty" if data is None else f"it is a {type(data).__name__} and not a mapping"
        raise _refused(name, kind, "Give a file of aiconfigurator: YAML, JSON or CSV")
    problems = unreadable(data)
    if problems:
        raise DocumentError(name, problems)
    return _mapping(data, name, wanted)


def _table(text: str, name: str, wanted: Chosen) -> Content:
    table = generation_f.rows(text, name=name)
    number = wanted.row or 1
    row = generation_f.pick(table, number, name=name)
    return generation_f.read(FileMapping(row, name=f"{name}, row {number}"), number=number, of=len(table))


def _mapping(data: dict[str, Data], name: str, wanted: Chosen) -> list[Content]:
    keys = frozenset(key for key, value in data.items() if value is not None)
    file = FileMapping(data, name=name)
    if "params" in keys and "WorkerConfig" in keys:
        return [generation_e.read(file)]
    if keys & set(generation_b.WORKERS.values()):
        return [generation_b.read(file)]
    if _one_server(data):
        return [generation_a.read(file)]
    if generation_f.is_row(keys):
        return [generation_f.read(file, number=1, of=1)]
    alone = _experiment(data, name, None)
    if alone is not None:
        return [alone]
    found = _experiments(data, name, wanted)
    if not found:
        raise _unknown(data, keys, name)
    return found


def _one_server(data: Mapping[str, Data]) -> bool:
    """Whether a worker has one tensor parallel size and not a list of them."""
    workers = (data.get(key) for key in generation_a.WORKERS.values())
    return any(isinstance(worker, dict) and "tp" in worker for worker in workers)


def _experiment(data: Mapping[str, Data], name: str, label: str | None) -> Content | None:
    """What a search space says; None for a mapping that is none."""
    keys = frozenset(key for key, value in data.items() if value is not None)
    file = FileMapping(data, name=name if label is None else f"{name}, experiment {label}")
    if keys & generation_c.MARKS and keys & {"model_path", "model_name", "serving_mode"}:
        return generation_c.read(file, label)
    if generation_d.looks_like(keys):
        return generation_d.read(file, label)
    return None


def _experiments(data: Mapping[str, Data], name: str, wanted: Chosen) -> list[Content]:
    listed = data.get("exps")
    labels = [label for label in listed if isinstance(label, str)] if isinstance(listed, list) else list(data)
    labels = [label for label in dict.fromkeys(labels) if label != "exps"][:MAX_EXPERIMENTS]
    if wanted.experiment is not None:
        if wanted.experiment not in labels:
            near = nearest(wanted.experiment, labels)
            raise DocumentError(
                name,
                [
                    Problem(
                        ErrorCode.NOT_FOUND,
                        wanted.experiment[:80],
                        f"it has {', '.join(labels)[:400] or 'no experiments'}",
                        f"Did you mean {near}?" if near else "Name one of these",
                    )
                ],
            )
        labels = [wanted.experiment]
    found: list[Content] = []
    for label in labels:
        block = data.get(label)
        one = _experiment(block, name, label) if isinstance(block, dict) else None
        if one is not None:
            found.append(one)
        elif isinstance(listed, list):
            raise _refused(name, f"exps names {label[:80]!r}, and no search space has that name", "Correct exps")
    return found


_OTHERS: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset({"apiVersion", "kind"}),
        "it is a manifest of Kubernetes",
        "Give generator_config.yaml, which lies beside it",
    ),
    (
        frozenset({"tensor_parallel_size", "kv_cache_config"}),
        "it is an engine's configuration",
        "Give generator_config.yaml, which lies beside it",
    ),
    (frozenset({"version", "preset"}), "it is a preset", "Import it as a preset"),
)
"""Keys that tell another kind of file, what it is, and what to do."""


def _unknown(data: Mapping[str, Data], keys: frozenset[str], name: str) -> DocumentError:
    if "base_runtime" in keys or {"model", "benchmark"} <= keys or {"model", "parameters"} <= keys:
        return _refused(name, "it is a task document already", "Start it with `autotuner run`")
    for marks, what, remedy in _OTHERS:
        if marks <= keys:
            return _refused(name, what, remedy)
    shown = ", ".join(sorted(keys))[:200] or "none"
    why = f"its keys ({shown}) are those of no generation of aiconfigurator's files"
    remedy = (
        "Give generator_config.yaml, best_config_topn.csv or exp_config.yaml, the folder that has them, or the file of "
        "an experiment"
    )
    return _refused(name, why, remedy)


def _refused(name: str, why: str, remedy: str) -> DocumentError:
    return DocumentError(name, [Problem(ErrorCode.INVALID_DOCUMENT, "", why, remedy)])
