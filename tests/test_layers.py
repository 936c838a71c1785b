"""The package's layers: who may import whom, which packages are pure, where engines may be named.

The rules are data (`ALLOWED`, `PURE`, `ENGINE_NAME`); `find_violations` reads a source tree and returns
one line per breach. The last tests feed it small trees that break a rule, to show that it finds them.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = "autotuner"
SOURCE = Path(__file__).resolve().parents[1] / "src" / ROOT

PURE = frozenset({"config", "planning", "profiles", "presets", "metrics", "scoring", "modelling", "aiconfigurator"})
KNOWN = PURE | {"contracts"}
SIBLINGS = frozenset({"deploy", "benchmark", "search", "engines"})
LOWER = KNOWN | {"store"}
MIDDLE = LOWER | SIBLINGS | {"runner", "network", "telemetry", "quality"}

# Top to bottom. A package may import itself and what is named here, nothing else of autotuner.
ALLOWED: Mapping[str, frozenset[str]] = {
    "cli": MIDDLE | {"services", "coordinator", "executors", "mock_server", "tiny_model", "server", "worker"},
    "server": MIDDLE | {"services", "coordinator"},
    "worker": MIDDLE | {"services", "coordinator", "executors"},
    "services": MIDDLE | {"coordinator", "executors", "tiny_model"},  # the composition root
    "coordinator": KNOWN,  # gets executor, store, search and the rest as arguments
    "executors": MIDDLE,
    "runner": KNOWN | {"telemetry", "quality", "network"},  # knows protocols only
    "telemetry": KNOWN | {"network"},
    "quality": KNOWN | {"network"},
    "deploy": LOWER | {"network"},
    "benchmark": LOWER | {"timing"},
    "search": LOWER,
    "engines": LOWER,
    "store": KNOWN,
    "network": frozenset(),
    "timing": frozenset(),
    "profiles": frozenset({"contracts", "config"}),
    "presets": frozenset({"contracts", "config", "planning"}),
    "planning": frozenset({"contracts", "config", "modelling"}),
    "aiconfigurator": frozenset({"contracts", "config"}),
    "modelling": frozenset({"contracts"}),
    "config": frozenset({"contracts"}),
    "scoring": frozenset({"contracts", "metrics"}),
    "metrics": frozenset({"contracts"}),
    "mock_server": frozenset({"contracts", "timing"}),
    "tiny_model": frozenset({"contracts"}),
    "contracts": frozenset(),
}
# `python -m autotuner` is the command line; the package's own __init__ imports nothing of it.
ENTRY_MODULES: Mapping[str, frozenset[str]] = {"__init__": frozenset(), "__main__": frozenset({"cli"})}

# What a pure package may not import: files, processes, network, clocks, chance, concurrency.
IMPURE = frozenset(
    {
        "aiosqlite",
        "asyncio",
        "concurrent",
        "ctypes",
        "fcntl",
        "fileinput",
        "glob",
        "http",
        "httptools",
        "importlib",
        "io",
        "logging",
        "mmap",
        "multiprocessing",
        "optuna",
        "os",
        "pathlib",
        "pkgutil",
        "platform",
        "psycopg",
        "random",
        "resource",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "socketserver",
        "sqlalchemy",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib.error",
        "urllib.request",
        "xllamacpp",
    }
)
IMPURE_CALLS = frozenset({"open", "input", "print", "exec", "eval", "__import__"})
CLOCK_METHODS = frozenset({"now", "utcnow", "today"})

# A neighbour that is a letter or a digit makes it another word; an underscore does not.
ENGINE_NAME = re.compile(
    r"(?<![a-z0-9])(x?llama[ ._-]?cpp|v_?llm|sg_?lang|tensor_?rt([ ._-]?llm)?|trt[ ._-]?llm|simulated)(?![a-z0-9])",
    re.IGNORECASE,
)
# CamelCase becomes words: FooClient, FOOClient -> Foo_Client, FOO_Client.
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def imported_modules(tree: ast.AST, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Every module that the source imports, absolute, with its line; `from a import b` yields a.b."""
    parts = module.split(".")
    base = parts if is_package else parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            start = base[: len(base) - node.level + 1] if node.level else []
            source = [*start, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                yield node.lineno, ".".join([*source, alias.name])
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            target = node.args[0].value
            if name in {"import_module", "__import__"} and isinstance(target, str):
                yield node.lineno, target


def prefixes(module: str) -> set[str]:
    """A module and the packages that hold it: a.b.c → a, a.b, a.b.c."""
    words = module.split(".")
    return {".".join(words[: n + 1]) for n in range(len(words))}


def file_violations(path: Path, source: Path) -> Iterator[str]:
    relative = path.relative_to(source)
    is_package = path.name == "__init__.py"
    parts = relative.parent.parts if is_package else relative.with_suffix("").parts
    package = relative.parts[0] if len(relative.parts) > 1 else ""
    allowed = ALLOWED.get(package) if package else ENTRY_MODULES.get(relative.stem)
    if allowed is None:
        yield f"{relative}: {package or relative.stem} is in no layer"
        return
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, filename=str(path))

    for line, imported in imported_modules(tree, ".".join([ROOT, *parts]), is_package):
        top, _, rest = imported.partition(".")
        if top == ROOT:
            target = rest.partition(".")[0]
            if target in ALLOWED and target != package and target not in allowed:
                yield f"{relative}:{line}: {package or relative.stem} must not import {target}"
            elif target not in ALLOWED and (target == "*" or ((source / target).exists() and target)):
                yield f"{relative}:{line}: {imported} is in no layer"
        elif package in PURE and not IMPURE.isdisjoint(prefixes(imported)):
            yield f"{relative}:{line}: {package} is pure and must not import {top}"

    if package in PURE:
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                    yield f"{relative}:{node.lineno}: {package} is pure and must not call {name}()"
                case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCK_METHODS:
                    yield f"{relative}:{node.lineno}: {package} is pure and must not read a clock: {name}()"

    if package != "engines":
        for number, content in enumerate([str(relative), *text.splitlines()]):
            found = ENGINE_NAME.search(content) or ENGINE_NAME.search(HUMP.sub("_", content))
            if found:
                yield f"{relative}:{number}: names the engine {found[0]}"


def find_violations(source: Path) -> list[str]:
    return [line for path in sorted(source.rglob("*.py")) for line in file_violations(path, source)]


def test_the_package_keeps_its_layers() -> None:
    assert SOURCE.is_dir()
    assert find_violations(SOURCE) == []


def test_the_layers_have_no_cycle() -> None:
    done: set[str] = set()
    while len(done) < len(ALLOWED):
        ready = {name for name, allowed in ALLOWED.items() if name not in done and allowed <= done}
        assert ready, f"a cycle among {sorted(set(ALLOWED) - done)}"
        done |= ready


def tree_of(folder: Path, files: Mapping[str, str]) -> Path:
    source = folder / ROOT
    for name, text in {"__init__.py": "", **files}.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, encoding="utf-8")
    return source


GOOD = {
    "__main__.py": "from autotuner.cli.main import main\n",
    "cli/main.py": "from autotuner import __version__, mock_server\nfrom autotuner.services import run\n",
    "mock_server/__init__.py": "import asyncio\nfrom autotuner.contracts import spec\n",
    "services/run.py": "import autotuner.engines.registry\nfrom .report import page\n",
    "services/report/page.py": "from ...scoring import pareto\n",
    "scoring/pareto.py": "import math\nimport numpy.random\nfrom autotuner.metrics import slo\n",
    "metrics/slo.py": "# simulate, simulation and vllms are other words\n",
    "engines/vllm/client.py": "from autotuner.contracts import spec\nNAME = 'vLLM'\n",
    "contracts/spec.py": "import pathlib\n",
}


def test_a_good_tree_passes(tmp_path: Path) -> None:
    assert find_violations(tree_of(tmp_path, GOOD)) == []


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        # Imports, in every form.
        ("runner/a.py", "import autotuner.store.db", "runner/a.py:1: runner must not import store"),
        ("runner/a.py", "from autotuner import engines", "runner/a.py:1: runner must not import engines"),
        ("runner/a.py", "from autotuner.deploy.local import x", "runner/a.py:1: runner must not import deploy"),
        ("runner/a.py", "from ..search import x", "runner/a.py:1: runner must not import search"),
        ("runner/__init__.py", "from .. import benchmark", "runner/__init__.py:1: runner must not import benchmark"),
        ("runner/b/c.py", "def f():\n    from ...store import x", "runner/b/c.py:2: runner must not import store"),
        (
            "runner/a.py",
            "import importlib\nimportlib.import_module('autotuner.store')",
            "runner/a.py:2: runner must not import store",
        ),
        # Each layer's own rule.
        ("coordinator/a.py", "import autotuner.engines", "coordinator/a.py:1: coordinator must not import engines"),
        ("coordinator/a.py", "import autotuner.store", "coordinator/a.py:1: coordinator must not import store"),
        ("executors/a.py", "import autotuner.services", "executors/a.py:1: executors must not import services"),
        ("engines/x/a.py", "import autotuner.deploy", "engines/x/a.py:1: engines must not import deploy"),
        ("search/a.py", "import autotuner.benchmark", "search/a.py:1: search must not import benchmark"),
        ("store/a.py", "import autotuner.runner", "store/a.py:1: store must not import runner"),
        ("config/a.py", "import autotuner.planning", "config/a.py:1: config must not import planning"),
        ("metrics/a.py", "import autotuner.scoring", "metrics/a.py:1: metrics must not import scoring"),
        ("scoring/a.py", "import autotuner.config", "scoring/a.py:1: scoring must not import config"),
        ("contracts/a.py", "import autotuner.config", "contracts/a.py:1: contracts must not import config"),
        ("mock_server/a.py", "import autotuner.config", "mock_server/a.py:1: mock_server must not import config"),
        ("services/a.py", "import autotuner.mock_server", "services/a.py:1: services must not import mock_server"),
        ("executors/a.py", "import autotuner.tiny_model", "executors/a.py:1: executors must not import tiny_model"),
        ("services/a.py", "import autotuner.cli", "services/a.py:1: services must not import cli"),
        ("__init__.py", "from autotuner.cli import main", "__init__.py:1: __init__ must not import cli"),
        # Purity.
        ("config/a.py", "import os.path", "config/a.py:1: config is pure and must not import os"),
        ("scoring/a.py", "from random import choice", "scoring/a.py:1: scoring is pure and must not import random"),
        ("planning/a.py", "open('x')", "planning/a.py:1: planning is pure and must not call open()"),
        (
            "planning/a.py",
            "import datetime\ndatetime.datetime.now(datetime.UTC)",
            "planning/a.py:2: planning is pure and must not read a clock: now()",
        ),
        # Every package is listed.
        ("helpers/a.py", "", "helpers/a.py: helpers is in no layer"),
        ("helpers.py", "", "helpers.py: helpers is in no layer"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, name: str, text: str, expected: str) -> None:
    assert find_violations(tree_of(tmp_path, {**GOOD, name: text})) == [expected]


def variants(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield f"x = 1  # as {name} does"
        yield f"x = 'a {name.upper()} flag'"
        yield f'"""{name.title()}: a docstring."""'


ENGINES = ("llamacpp", "llama.cpp", "llama_cpp", "vllm", "sglang", "tensorrt", "trtllm", "xllamacpp", "simulated")
IDENTIFIERS = (
    "class VllmClient: ...",
    "class VLLMClient: ...",
    "class LlamaCppEngine: ...",
    "class MySGLang: ...",
    "def start_vllm_server(): ...",
    "TensorRTLLM = 1",
    "is_simulated = True",
    "trt_llm = 'TensorRT-LLM'",
)


@pytest.mark.parametrize("text", [*variants(ENGINES), *IDENTIFIERS])
def test_an_engine_named_outside_engines_is_found(tmp_path: Path, text: str) -> None:
    found = find_violations(tree_of(tmp_path, {**GOOD, "cli/a.py": f"\n{text}\n"}))
    assert len(found) == 1
    assert found[0].startswith("cli/a.py:2: names the engine ")


def test_an_engine_named_in_a_path_is_found(tmp_path: Path) -> None:
    found = find_violations(tree_of(tmp_path, {"deploy/vllm.py": ""}))
    assert found == ["deploy/vllm.py:0: names the engine vllm"]
