"""Finished runs in a file of JSON lines, so that a comparison that was cut off goes on."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from autotuner.contracts.values import digest
from autotuner.search.registry import STRATEGIES
from searching.conditions import Condition
from searching.landscape import Task
from searching.running import BUDGET, MEASURE_S, START_S, TOLERANCES, Run

Key = tuple[str, str, str, int]


def key_of(run: Run) -> Key:
    """What makes a run that one."""
    return run.strategy, run.task, run.condition, run.seed


class Records:
    """The file. A last line that was cut off is dropped; of two runs of one key the later counts."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[Key, Run]:
        """All runs in it."""
        if not self._path.is_file():
            return {}
        return {key_of(run): run for run in _runs(self._path.read_text(encoding="utf-8").splitlines())}

    def append(self, run: Run) -> None:
        """Add one; it is in the file when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            # What a killed program left of a line must not take the next one with it.
            if file.tell() and not _ends_with_newline(file.seek(-1, 2), file.read(1)):
                file.write(b"\n")
            file.write(run.model_dump_json().encode() + b"\n")


def _ends_with_newline(_: int, last: bytes) -> bool:
    return last == b"\n"


def _runs(lines: Iterable[str]) -> Iterator[Run]:
    for line in lines:
        try:
            yield Run.model_validate_json(line)
        except ValidationError:
            continue


def fingerprint(strategy: str, task: Task, condition: Condition) -> str:
    """Changes with anything that could change a run: the task, the condition, the rules, the strategy's code."""
    rules = [BUDGET, TOLERANCES, START_S, MEASURE_S, repr(condition)]
    return digest([task.fingerprint, rules, code_of(strategy)])[:12]


@cache
def code_of(strategy: str) -> str:
    """Digest of the modules of ``autotuner.search`` that the strategy needs."""
    target = STRATEGIES.load(strategy).__module__
    return digest(sorted([name, path.read_text(encoding="utf-8")] for name, path in _needed(target).items()))


def _needed(module: str) -> dict[str, Path]:
    """The module and all those below ``autotuner.search`` that it imports, with their files."""
    found: dict[str, Path] = {}
    open_ = [module]
    while open_:
        name = open_.pop()
        spec = importlib.util.find_spec(name) if name not in found else None
        if spec is None or spec.origin is None:
            continue
        found[name] = Path(spec.origin)
        for node in ast.walk(ast.parse(found[name].read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                open_ += [n for n in (node.module, *_submodules(node)) if n.startswith("autotuner.search")]
    return found


def _submodules(node: ast.ImportFrom) -> Iterator[str]:
    """``from package import module`` names modules too."""
    for alias in node.names:
        name = f"{node.module}.{alias.name}"
        if name.startswith("autotuner.search.") and _is_module(name):
            yield name


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def dump(path: Path, content: object) -> None:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
