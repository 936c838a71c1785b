"""Starts llama.cpp's HTTP server from the xllamacpp wheel, with the flags of ``llama-server``.

Run as a file, with any interpreter that has xllamacpp; imports nothing else that is not in the standard library.
The key that clients must send is read from the environment variable AUTOTUNER_API_KEY.

Exit codes: 0 after SIGTERM or SIGINT (while the model loads they end the process in the usual way), 2 for a value or a
combination that the engine would refuse or that would abort it, 3 when the file can't be a model, 1 when the engine
could not start for another reason, which its own lines on stderr tell.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

PROG = "llamacpp-launcher"
CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
LOAD_MODES = {
    "auto": "AUTO",
    "none": "NONE",
    "mmap": "MMAP",
    "mlock": "MLOCK",
    "mmap+mlock": "MMAP_MLOCK",
    "dio": "DIRECT_IO",
}
FLASH_ATTN = {"auto": "AUTO", "on": "ENABLED", "off": "DISABLED"}
MAX_PARALLEL = 256
MAX_THREADS = 512
BAD_ARGUMENT = 2
BAD_MODEL = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the server and wait for a signal; the process ends with the returned code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    problem = find_problem(options)
    if problem is not None:
        parser.error(problem)
    unusable = model_problem(options.model)
    if unusable is not None:
        return _fail(BAD_MODEL, f"cannot load the model {options.model}: {unusable}")
    try:
        engine = importlib.import_module("xllamacpp")
    except ImportError as error:
        return _fail(1, f"cannot import xllamacpp ({error}); install it into the environment of {sys.executable}")
    params = engine.CommonParams()
    for name, value in settings(options, _usable_cores()).items():
        _apply(engine, params, name, value)
    params.model.path = options.model
    params.hostnames = [options.host]
    params.port = options.port
    params.model_alias = {options.alias or Path(options.model).stem}
    params.endpoint_metrics = True
    params.ui = False
    # The wheel's build_info is "b0-unknown"; this is how /props tells which engine answers.
    params.ui_config_json = json.dumps({"engine_version": engine.__version__})
    key = os.environ.pop("AUTOTUNER_API_KEY", "")
    if key:
        params.api_keys = [key]
    try:
        server = engine.Server(params)
    except RuntimeError as error:
        return _fail(1, f"the engine could not start: {error} The reason is in the lines above")
    _say(f"{PROG}: listening on {server.listening_address}")
    _wait_for_signal()
    _say(f"{PROG}: stopped by a signal")
    # Nothing is worth finishing: what the engine holds goes with the process, at once.
    os._exit(0)


def _wait_for_signal() -> None:
    """Return after SIGTERM or SIGINT. Until here, while the model loads, they end the process in the usual way."""
    ours, signalled = socket.socketpair()
    signalled.setblocking(False)
    # Any thread of the engine may get the signal; the byte reaches this one in every case.
    signal.set_wakeup_fd(signalled.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    ours.recv(1)


def build_parser() -> argparse.ArgumentParser:
    """The command line. Left-out options keep the engine's own default."""
    parser = argparse.ArgumentParser(
        prog=PROG,
        usage="%(prog)s --model FILE --port PORT [options]; --help lists them",
        allow_abbrev=False,
        description="llama.cpp server (xllamacpp)",
    )
    parser.add_argument("--model", required=True, metavar="FILE", help="GGUF file")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=_whole(1, 65535), required=True, help="port to listen on, exactly this one")
    parser.add_argument("--alias", help="name under which the model is served (default: the file's)")
    context = parser.add_mutually_exclusive_group()
    context.add_argument("--ctx-size", type=_whole(0), metavar="N", help="context of all slots together, tokens")
    context.add_argument("--max-model-len", type=_whole(1), metavar="N", help="context of one slot, tokens")
    parser.add_argument("--parallel", type=_whole(1, MAX_PARALLEL), metavar="N", help="slots")
    parser.add_argument("--batch-size", type=_whole(2), metavar="N", help="most tokens taken into one step")
    parser.add_argument("--ubatch-size", type=_whole(1), metavar="N", help="most tokens computed at once")
    parser.add_argument("--threads", type=_whole(1, MAX_THREADS), metavar="N", help="threads for generating")
    parser.add_argument("--threads-batch", type=_whole(1, MAX_THREADS), metavar="N", help="threads for prompts")
    parser.add_argument("--cache-type", choices=CACHE_TYPES, help="type of both KV caches")
    parser.add_argument("--cache-type-k", choices=CACHE_TYPES, help="type of the K cache")
    parser.add_argument("--cache-type-v", choices=CACHE_TYPES, help="type of the V cache")
    parser.add_argument("--flash-attn", choices=tuple(FLASH_ATTN), help="flash attention")
    for flag, text in (
        ("--cont-batching", "take new requests in while others are answered"),
        ("--kv-unified", "one KV buffer for all slots"),
        ("--cache-prompt", "reuse the KV cache for the common start of prompts"),
        ("--repack", "repack quantised weights for this CPU"),
        ("--warmup", "run the model once before the server answers"),
    ):
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=text)
    parser.add_argument("--swa-full", action="store_true", default=None, help="full-size sliding-window cache")
    parser.add_argument("--cache-ram", type=_whole(-1), metavar="MIB", help="memory for prompts without a slot")
    parser.add_argument("--cache-reuse", type=_whole(0), metavar="N", help="least chunk reused by shifting, tokens")
    parser.add_argument("--slot-prompt-similarity", type=_share, metavar="S", help="match that keeps a slot, 0 to 1")
    parser.add_argument("--poll", type=_whole(0, 100), metavar="PERCENT", help="how eagerly threads wait for work")
    parser.add_argument("--prio", type=_whole(-1, 3), metavar="N", help="priority of the threads")
    parser.add_argument("--threads-http", type=_whole(1), metavar="N", help="threads that handle HTTP")
    parser.add_argument("--load-mode", choices=tuple(LOAD_MODES), help="how the weights get into memory")
    parser.add_argument("--numa", choices=("disabled", "distribute", "isolate", "numactl"), help="memory nodes")
    parser.add_argument("--fit", choices=("on", "off"), help="adjust what was left out to the memory")
    return parser


def find_problem(options: argparse.Namespace) -> str | None:
    """What the engine would refuse or abort on, as one sentence; None if it would start."""
    slots: int = options.parallel or 1
    batch: int = options.batch_size or 2048
    if batch < slots:
        return f"argument --batch-size: {batch} is less than the {slots} slots (--parallel); the engine would abort"
    if options.cache_type and (options.cache_type_k or options.cache_type_v):
        return "argument --cache-type: not allowed with --cache-type-k or --cache-type-v"
    cache_v = options.cache_type_v or options.cache_type or "f16"
    if options.flash_attn == "off" and cache_v not in ("f32", "f16", "bf16"):
        return f"argument --cache-type-v: a V cache of type {cache_v} needs flash attention (--flash-attn is off)"
    return None


def model_problem(path: str) -> str | None:
    """Why the file can't be a model, or None. The engine itself tells the rest."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(4)
    except OSError as error:
        return error.strerror or str(error)
    return None if start == b"GGUF" else "it is not a GGUF file"


def settings(options: argparse.Namespace, cores: int | None) -> dict[str, int | float | str | bool]:
    """Values to set on the engine's parameters, by our name; only what differs from the engine's own defaults.

    ``cores``: how many this process may use when that is fewer than the machine has, else None. The engine counts the
    machine's cores whatever it may use, and more threads than cores bring it to a standstill.
    """
    slots = options.parallel or 1
    context = options.max_model_len * slots if options.max_model_len else options.ctx_size
    threads = options.threads or cores
    threads_batch = options.threads_batch or threads
    values: dict[str, int | float | str | bool | None] = {
        "n_ctx": context,
        "n_parallel": options.parallel,
        "n_batch": options.batch_size,
        "n_ubatch": options.ubatch_size,
        "threads": threads,
        "threads_batch": threads_batch,
        "cache_type_k": options.cache_type_k or options.cache_type,
        "cache_type_v": options.cache_type_v or options.cache_type,
        "flash_attn": options.flash_attn,
        "cont_batching": options.cont_batching,
        "kv_unified": options.kv_unified,
        "cache_prompt": options.cache_prompt,
        "no_extra_bufts": None if options.repack is None else not options.repack,
        "warmup": options.warmup,
        "swa_full": options.swa_full,
        "cache_ram_mib": options.cache_ram,
        "n_cache_reuse": options.cache_reuse,
        "slot_prompt_similarity": options.slot_prompt_similarity,
        "poll": options.poll,
        "prio": options.prio,
        "n_threads_http": options.threads_http,
        "load_mode": options.load_mode,
        "numa": options.numa,
        "fit_params": None if options.fit is None else options.fit == "on",
    }
    return {name: value for name, value in values.items() if value is not None}


def _apply(engine: ModuleType, params: Any, name: str, value: int | float | str | bool) -> None:
    """Set one value where the engine keeps it. (The engine has no types of its own.)"""
    match name:
        case "threads":
            params.cpuparams.n_threads = value
        case "threads_batch":
            params.cpuparams_batch.n_threads = value
        case "poll":
            params.cpuparams.poll = params.cpuparams_batch.poll = value
        case "prio":
            priority = engine.ggml_sched_priority(value)
            params.cpuparams.priority = params.cpuparams_batch.priority = priority
        case "cache_type_k" | "cache_type_v":
            setattr(params, name, engine.ggml_type[f"GGML_TYPE_{str(value).upper()}"])
        case "flash_attn":
            mode = f"LLAMA_FLASH_ATTN_TYPE_{FLASH_ATTN[str(value)]}"
            params.flash_attn_type = engine.llama_flash_attn_type[mode]
        case "load_mode":
            params.load_mode = engine.llama_load_mode[f"LLAMA_LOAD_MODE_{LOAD_MODES[str(value)]}"]
        case "numa":
            params.numa = engine.ggml_numa_strategy[f"GGML_NUMA_STRATEGY_{str(value).upper()}"]
        case _:
            setattr(params, name, value)


def _usable_cores() -> int | None:
    usable = len(os.sched_getaffinity(0))
    return usable if usable < (os.cpu_count() or usable) else None


def _whole(low: int, high: int | None = None) -> Callable[[str], int]:
    def integer(text: str) -> int:
        value = int(text)
        if value < low or (high is not None and value > high):
            limits = f"at least {low}" if high is None else f"{low} to {high}"
            raise argparse.ArgumentTypeError(f"{value} is not allowed; it must be {limits}")
        return value

    return integer


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{value} is not allowed; it must be 0 to 1")
    return value


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _fail(code: int, sentence: str) -> int:
    _say(f"{PROG}: {sentence}")
    return code


if __name__ == "__main__":
    # The files beside this one are no modules for the engine to import.
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != Path(__file__).resolve().parent]
    sys.exit(main())
