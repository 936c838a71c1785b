"""Records how real starts of a server fail: ``python tests/data/failed_starts/record.py``.

Starts the llama.cpp launcher in every way that goes wrong below (and two that go well) and writes each log, with
neutral paths, beside ``index.json``: the command, how the process ended, and what a diagnosis must make of it. Takes
about half a minute; needs the extras ``llamacpp`` and ``model``. Run it again for a new version of the engine.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotuner.engines.llamacpp.engine import LAUNCHER
from autotuner.tiny_model import create_model
from autotuner.tiny_model.shape import SHAPES, Shape

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "llamacpp"
WAIT_S = 60.0
LISTENING = "llamacpp-launcher: listening on"
NEUTRAL = ((LAUNCHER, "launcher.py"), (sys.prefix, "VENV"), (sys.base_prefix, "PYTHON"))
"""Paths of this machine and what stands for them in the recordings."""
ONE_THREAD = ("--threads-http", "1")
UNCHECKED = (
    "import runpy, sys; path = sys.argv.pop(1); names = runpy.run_path(path); main = names['main']; "
    "checks = main.__globals__; checks['find_problem'] = lambda options: None; "
    "checks['_whole'] = lambda low, high=None: int; sys.argv[0] = path; sys.exit(main())"
)
"""Runs the launcher without its own checks: what the engine itself says, as an external llama-server would."""


@dataclass(frozen=True)
class Case:
    """One start. ``kind``: the class that a diagnosis must find, None where nothing is wrong.

    ``words`` must occur in the diagnosis; ``certain``: another start would only repeat it. ``end``: the signal sent
    once the server has answered. ``address_space``: limit in bytes. ``unchecked``: without the launcher's own checks.
    ``python``: options of the interpreter. ``memory_was_short``: what the kernel's counter is to have said; nobody
    brings a machine to its knees for a recording. ``taken``: somebody listens on the port already.
    """

    name: str
    flags: tuple[str, ...]
    kind: str | None
    words: tuple[str, ...] = ()
    certain: bool = False
    model: str = "{folder}/tiny.gguf"
    end: signal.Signals | None = None
    address_space: int | None = None
    unchecked: bool = False
    python: tuple[str, ...] = ()
    memory_was_short: bool = False
    taken: bool = False


CASES = (
    Case("healthy", ("--parallel", "2"), None, end=signal.SIGTERM),
    Case("killed", (), "crash", ("SIGKILL",), end=signal.SIGKILL),
    Case("killed-for-memory", (), "oom", ("kernel",), end=signal.SIGKILL, memory_was_short=True),
    Case("segmentation-fault", (), "crash", ("SIGSEGV",), end=signal.SIGSEGV),
    Case("unknown-argument", ("--thread", "1"), "bad_argument", ("--thread 1",)),
    Case("no-number", ("--poll", "much"), "bad_argument", ("--poll", "much")),
    Case("no-choice", ("--cache-type", "f8"), "bad_argument", ("--cache-type", "f8")),
    Case("out-of-range", ("--parallel", "257"), "bad_argument", ("--parallel", "1 to 256")),
    Case("zero-threads", ("--threads", "0"), "bad_argument", ("--threads",)),
    Case("batch-below-slots", ("--batch-size", "4", "--parallel", "8"), "bad_argument", ("--batch-size",)),
    Case(
        "batch-below-slots-unchecked",
        ("--batch-size", "4", "--parallel", "8"),
        "crash",
        ("internal check", "GGML_ASSERT"),
        unchecked=True,
    ),
    Case("tiny-context", ("--ctx-size", "1"), "crash", ("internal check", "failed to add token")),
    Case("too-many-slots-unchecked", ("--parallel", "300"), "bad_argument", ("n_seq_max",), unchecked=True),
    Case("quantised-v-cache", ("--cache-type-v", "q8_0", "--flash-attn", "off"), "bad_argument", ("flash",)),
    Case(
        "quantised-v-cache-unchecked",
        ("--cache-type-v", "q8_0", "--flash-attn", "off"),
        "bad_argument",
        ("flash_attn",),
        unchecked=True,
    ),
    Case(
        "k-cache-does-not-divide",
        ("--cache-type-k", "q8_0"),
        "bad_argument",
        ("does not divide",),
        model="{folder}/odd.gguf",
    ),
    Case(
        "v-cache-does-not-divide",
        ("--cache-type-v", "q8_0", "--flash-attn", "on"),
        "bad_argument",
        ("does not divide",),
        model="{folder}/odd.gguf",
    ),
    Case("missing-file", (), "missing_model", ("No such file",), model="{folder}/nowhere.gguf"),
    Case("folder-as-file", (), "missing_model", ("directory",), model="{folder}"),
    Case("not-a-model", (), "missing_model", ("not a GGUF file",), model="{folder}/words.gguf"),
    Case("cut-weights", (), "missing_model", ("could not load",), model="{folder}/cut-weights.gguf"),
    Case("cut-header", (), "missing_model", ("could not load",), model="{folder}/cut-header.gguf"),
    Case("unknown-architecture", (), "unsupported", ("'zzzzz'",), model="{folder}/architecture.gguf"),
    Case("unknown-tokenizer", (), "unsupported", ("'zzz-2'",), model="{folder}/tokenizer.gguf"),
    Case("newer-format", (), "unsupported", ("version 99",), model="{folder}/version.gguf"),
    Case("port-taken", (), "port", ("port",), taken=True),
    Case(
        "no-memory-for-cache",
        ("--ctx-size", "4000000"),
        "oom",
        ("7812.50 MB",),
        certain=True,
        address_space=3_000_000_000,
    ),
    Case(
        "no-memory-for-reading", (*ONE_THREAD, "--load-mode", "none"), "oom", ("bad_alloc",), address_space=100_000_000
    ),
    Case(
        "no-memory-for-weights", (*ONE_THREAD, "--load-mode", "none"), "oom", ("bad_alloc",), address_space=130_000_000
    ),
    Case("no-memory-for-server", (*ONE_THREAD, "--load-mode", "none"), "oom", ("bad_alloc",), address_space=60_000_000),
    Case("no-memory-for-library", ONE_THREAD, "oom", ("failed to map segment",), address_space=40_000_000),
    Case(
        "no-threads",
        ("--threads-http", "500"),
        "crash",
        ("refused the engine a thread", "Resource temporarily unavailable"),
        address_space=400_000_000,
    ),
    Case(
        "no-threads-for-computing",
        (*ONE_THREAD, "--fit", "off"),
        "crash",
        ("refused the engine a thread", "Thread creation failed"),
        address_space=240_000_000,
    ),
    Case("engine-missing", (), "unsupported", ("xllamacpp",), python=("-S", "-I")),
)


def main() -> None:
    """Record all cases."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.log"):
        old.unlink()
    index = []
    with tempfile.TemporaryDirectory() as folder:
        make_models(Path(folder))
        for case in CASES:
            index.append(record(case, Path(folder)))
            sys.stderr.write(f"{case.name}: {index[-1]['ended']}\n")
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n")


def make_models(folder: Path) -> None:
    """A good file, and what can be wrong with one."""
    good = create_model("tiny", folder / "made").gguf["f16"].read_bytes()
    (folder / "tiny.gguf").write_bytes(good)
    (folder / "words.gguf").write_text("only words\n")
    (folder / "cut-weights.gguf").write_bytes(good[:500_000])
    (folder / "cut-header.gguf").write_bytes(good[:1_000])
    (folder / "version.gguf").write_bytes(good[:4] + struct.pack("<I", 99) + good[8:])
    (folder / "architecture.gguf").write_bytes(changed_text(good, "general.architecture", "llama", "zzzzz"))
    (folder / "tokenizer.gguf").write_bytes(changed_text(good, "tokenizer.ggml.pre", "gpt-2", "zzz-2"))
    # Heads of 40: no multiple of a quantised block of 32.
    SHAPES["odd"] = Shape(hidden=160, layers=1, heads=4, kv_heads=2, ffn=64, vocabulary=1024, context=512)
    shutil.copy(create_model("odd", folder / "made").gguf["f16"], folder / "odd.gguf")


def changed_text(content: bytes, key: str, old: str, new: str) -> bytes:
    """The file with another text of the same length for a key."""
    at = content.index(key.encode()) + len(key) + 4 + 8
    if content[at : at + len(old)] != old.encode():
        raise SystemExit(f"{key} is not {old}")
    return content[:at] + new.encode() + content[at + len(old) :]


def record(case: Case, folder: Path) -> dict[str, Any]:
    """Start, wait for the end (or for the server to listen, then end it), keep log and entry."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        if case.taken:
            holder.listen()
        else:
            holder.close()
        head = [sys.executable, *case.python, "-u", *(("-c", UNCHECKED) if case.unchecked else ()), LAUNCHER]
        model = case.model.format(folder=folder)
        argv = [*head, "--model", model, "--host", "127.0.0.1", "--port", str(port), "--alias", "tiny", *case.flags]
        log = folder / "server.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=limited(case.address_space),
                env={**os.environ, "GGML_NO_BACKTRACE": "1"},
            )
            if case.end is not None:
                answer(process, log, port)
                process.send_signal(case.end)
            try:
                process.wait(WAIT_S)
            finally:
                process.kill()
                process.wait()
    status = process.returncode

    def neutral(text: str) -> str:
        for path, name in NEUTRAL:
            text = text.replace(path, name)
        return re.sub(rf"\b{port}\b", "PORT", text.replace(str(folder), "MODELS"))

    (FOLDER / f"{case.name}.log").write_text(neutral(log.read_text(errors="replace")))
    shown = ["UNCHECKED" if word == UNCHECKED else neutral(word) for word in argv]
    ended = {"code": status} if status >= 0 else {"signal": signal.Signals(-status).name}
    return {
        "name": case.name,
        "command": shown,
        "ended": ended,
        "memory_was_short": case.memory_was_short,
        "expected": None
        if case.kind is None
        else {"kind": case.kind, "words": list(case.words), "certain": case.certain},
    }


def limited(address_space: int | None) -> Callable[[], None] | None:
    if address_space is None:
        return None
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))


def answer(process: subprocess.Popen[bytes], log: Path, port: int) -> None:
    """Wait until the server listens and have it answer once."""
    while LISTENING not in log.read_text(errors="replace"):
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode} before it listened")
    body = json.dumps({"model": "tiny", "prompt": "Hello", "max_tokens": 4}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(f"http://127.0.0.1:{port}/v1/completions", body, headers), timeout=WAIT_S
    ) as response:
        response.read()


if __name__ == "__main__":
    main()
