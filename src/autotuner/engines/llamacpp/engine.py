"""llama.cpp as an engine of the tuner."""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

from autotuner.contracts.attempt import API_KEY, HOST, PORT, Command, FailureClass, LogPattern, ServerFacts
from autotuner.contracts.engine import (
    Catalogue,
    CatalogueParameter,
    LaunchRequest,
    ModelFormat,
    Rule,
    Runtime,
    RuntimeInfo,
    Suggestion,
)
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.neutral import NeutralTable
from autotuner.contracts.values import Scalar
from autotuner.engines.llamacpp import model as gguf_model
from autotuner.engines.llamacpp.catalogue import CATALOGUE, VERSION
from autotuner.engines.llamacpp.neutral import TABLE
from autotuner.engines.llamacpp.rules import RULES, cache_types, total_context
from autotuner.engines.metric_names import METRIC_NAMES

PACKAGE = "xllamacpp"
LAUNCHER = str(Path(__file__).with_name("launcher.py"))
CHECK_TIMEOUT_S = 30.0

_EXPANDED = frozenset({"n_ctx", "max_model_len", "cache_type", "cache_type_k", "cache_type_v"})

_LESS_MEMORY = "lower n_ctx, n_parallel or max_model_len, or quantise the KV cache (cache_type)"

# The first one that matches decides, so what explains stands before what follows from it. Every alternative matches a
# line of a recorded start (tests/data/failed_starts).
LOG_PATTERNS = (
    LogPattern(
        pattern=r"couldn't bind HTTP server socket",
        kind=FailureClass.PORT,
        diagnosis="the server's port was taken by another process",
        hint="nothing to do: the attempt is repeated on another port",
    ),
    # The host's memory, where the kernel refuses only what is more than it has in all or than a limit allows.
    LogPattern(
        pattern=r"ggml_aligned_malloc: insufficient memory",
        kind=FailureClass.OOM,
        diagnosis="the engine asked for more memory than this host or its limit has",
        hint=_LESS_MEMORY,
        certain=True,
    ),
    LogPattern(
        pattern=r"failed to allocate (\w+ )?buffer|error loading model: .*bad_alloc|encountered bad_alloc|"
        r"terminate called .*bad_alloc",
        kind=FailureClass.OOM,
        diagnosis="the engine could not get the memory for the model or its KV cache",
        hint=_LESS_MEMORY,
    ),
    LogPattern(
        pattern=r"cannot import xllamacpp .*failed to map segment",
        kind=FailureClass.OOM,
        diagnosis="there was not even memory for the engine's own code",
        hint="free memory on this host, or raise the limit under which the tuner runs (ulimit -v)",
    ),
    LogPattern(
        pattern=r"what\(\):  Resource temporarily unavailable|libgomp: Thread creation failed",
        kind=FailureClass.CRASH,
        diagnosis="the host refused the engine a thread",
        hint="lower threads, threads_batch and n_threads_http, or raise the limits on processes and memory (ulimit)",
    ),
    LogPattern(
        pattern=r"unknown model architecture|unknown pre-tokenizer type|this GGUF file is version \d+ but",
        kind=FailureClass.UNSUPPORTED,
        diagnosis="this version of the engine does not know this kind of model",
        hint="use a newer version of the engine, or a file made for this one",
    ),
    LogPattern(
        pattern=r"^llamacpp-launcher: cannot load the model|error loading model|failed to load model",
        kind=FailureClass.MISSING_MODEL,
        diagnosis="the engine could not load the model file",
        hint="check that the path names a complete GGUF file",
    ),
    LogPattern(
        pattern=r"^llamacpp-launcher: error: ",
        kind=FailureClass.BAD_ARGUMENT,
        diagnosis="the engine refused one of its arguments",
        hint="the line in the log names the argument; correct or leave out that parameter",
    ),
    LogPattern(
        pattern=r"quantized V cache requires flash_attn|n_seq_max must be|does not divide n_embd_head|"
        r"failed to create context",
        kind=FailureClass.BAD_ARGUMENT,
        diagnosis="the engine refused this combination of parameters",
        hint="the line in the log says which; leave the combination out of the search",
    ),
    LogPattern(
        pattern=r"cannot import xllamacpp",
        kind=FailureClass.UNSUPPORTED,
        diagnosis="the interpreter that should run the engine has no xllamacpp",
        hint="install xllamacpp there, or point runtime.python to an environment that has it",
    ),
    LogPattern(
        pattern=r"GGML_ASSERT|terminate called|failed to add token",
        kind=FailureClass.CRASH,
        diagnosis="the engine stopped itself on an internal check",
        hint="this combination of parameters is one that the engine does not survive; leave it out",
    ),
)


class LlamaCppEngine:
    """llama.cpp: our launcher around xllamacpp, or the command of an external llama-server."""

    name = "llamacpp"
    aliases: tuple[str, ...] = ("llama.cpp", "llama_cpp")
    predicted = False
    own_deployment: str | None = None
    own_client: str | None = None
    model_format: ModelFormat = "gguf"
    typical_start_s: float = 2.0

    @property
    def catalogue(self) -> Catalogue:
        """Parameters of the version that the extra ``llamacpp`` installs."""
        return CATALOGUE

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Known constraints."""
        return RULES

    @property
    def neutral(self) -> NeutralTable:
        """How it writes neutral settings."""
        return TABLE

    def with_catalogue(self, catalogue: Catalogue) -> LlamaCppEngine:
        """Itself: its parameters are those of the launcher that comes with it."""
        return self

    def world_size(self, values: Mapping[str, Scalar]) -> int | None:
        """Not said by its parameters: it splits a model over the devices that it finds."""
        return None

    def summary(self, values: Mapping[str, Scalar]) -> str:
        """Nothing is known."""
        return ""

    @property
    def server(self) -> ServerFacts:
        """How the server is talked to. An external llama-server tells its build instead of our version."""
        return ServerFacts(
            metrics_path="/metrics",
            metric_names=METRIC_NAMES,
            version_path="/props",
            version_field="ui_settings.engine_version",
            version_fallback="build_info",
            log_patterns=LOG_PATTERNS,
            dialect="vllm",  # whoever knows that one leaves ignore_eos in its requests, which this server heeds too
        )

    @property
    def request_body(self) -> Mapping[str, object]:
        """Keeps the asked output length."""
        return {"ignore_eos": True}

    def command(self, launch: LaunchRequest) -> Command:
        """See the protocol. AutotunerError: UNKNOWN_PARAMETER, INVALID_VALUE, CONTRADICTION."""
        values = _checked(launch.parameters)
        runtime = launch.runtime
        argv = [*runtime.launcher_prefix]
        if runtime.command:
            argv += runtime.command
            key_variable = "LLAMA_API_KEY"
        else:
            argv += [_interpreter(runtime), "-u", LAUNCHER]
            key_variable = "AUTOTUNER_API_KEY"
        argv += ["--model", launch.model, "--host", HOST, "--port", PORT, "--alias", launch.served_name]
        if runtime.command:
            argv.append("--metrics")
            if "n_parallel" not in values:
                argv += ["--parallel", "1"]  # our default; without the flag it makes four slots share one context
        argv += _flags(values, launch)
        argv += runtime.extra_args
        return Command(argv=tuple(argv), env={key_variable: API_KEY, **runtime.env})

    def options(self, launch: LaunchRequest) -> Mapping[str, object]:
        """Nothing: no deployment or client is this engine's own."""
        return {}

    def check_runtime(self, runtime: Runtime) -> RuntimeInfo:
        """See the protocol. Does not import the engine into this process."""
        if runtime.command:
            return _check_command(runtime.command)
        if runtime.python is not None:
            version = _version_in(_interpreter(runtime))
        else:
            try:
                version = importlib.metadata.version(PACKAGE)
            except importlib.metadata.PackageNotFoundError as error:
                raise AutotunerError(
                    ErrorCode.MISSING_EXTRA,
                    "the engine llamacpp is not installed",
                    why=f"the package {PACKAGE} is missing",
                    remedy="install it with: pip install 'inference-autotuner[llamacpp]'",
                ) from error
        known = "" if version == VERSION else f"; its parameters are known for {VERSION}"
        return RuntimeInfo(version=version, detail=f"{PACKAGE} {version}{known}")

    def read_model(self, path: str) -> Mapping[str, object]:
        """Facts of a GGUF file; see ``autotuner.engines.llamacpp.model.read_model``."""
        return gguf_model.read_model(path)

    def suggest(self, model: Mapping[str, object], cores: int | None, concurrency: int) -> Suggestion:
        """Slots up to the concurrency, threads up to the cores, and the step size that trades TTFT against TPOT."""
        most = max(1, min(concurrency, 256))
        parallel = sorted({1, most, *(size for size in (2, 4, 8, 16, 32, 64, 128) if most // 4 <= size < most)})
        parameters: dict[str, Sequence[Scalar] | Scalar] = {
            "n_parallel": parallel,
            "n_ubatch": [64, 128, 512],
        }
        reason = (
            f"slots up to the {concurrency} requests in flight, and the tokens per step, which decide between short "
            "gaps and fast prompts"
        )
        if cores is not None and cores > 1:
            parameters["threads"] = sorted({1, max(1, cores // 2), cores})
            reason += f"; threads up to the {cores} cores of the server"
        return Suggestion(parameters=parameters, reason=reason)


def _checked(parameters: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The parameters that differ from the engine's defaults, each of a value that its flag takes."""
    for name in parameters:
        if all(known.name != name for known in CATALOGUE.parameters):
            raise AutotunerError(
                ErrorCode.UNKNOWN_PARAMETER,
                f"{name} is no parameter of llamacpp",
                why="its catalogue has no such name",
                remedy="see the engine's parameters for the name that is meant",
                place=name,
            )
    values: dict[str, Scalar] = {}
    for parameter in CATALOGUE.parameters:
        value = parameters.get(parameter.name)
        if value is None:
            continue
        problem = _value_problem(parameter, value)
        if problem is not None:
            raise AutotunerError(
                ErrorCode.INVALID_VALUE,
                f"{parameter.name} cannot be {value!r}",
                why=problem,
                remedy="give one of the allowed values, or leave the parameter out",
                place=parameter.name,
            )
        if value != parameter.default:
            values[parameter.name] = value
    return values


def _value_problem(parameter: CatalogueParameter, value: Scalar) -> str | None:
    if parameter.type == "bool":
        return None if isinstance(value, bool) else "it is true or false"
    if parameter.type == "choice":
        allowed = ", ".join(str(choice) for choice in parameter.choices)
        return None if value in parameter.choices else f"it is one of {allowed}"
    if isinstance(value, bool) or not isinstance(value, int if parameter.type == "int" else (int, float)):
        return "it is a whole number" if parameter.type == "int" else "it is a number"
    if parameter.low is not None and value < parameter.low:
        return f"the least is {parameter.low:g}"
    if parameter.high is not None and value > parameter.high:
        return f"the most is {parameter.high:g}"
    return None


def _flags(values: Mapping[str, Scalar], launch: LaunchRequest) -> list[str]:
    """Flags in the order of the catalogue; what the engine has no flag for is written as what it means."""
    contradiction = next(
        (text for rule in RULES if rule.name in _CONTRADICTIONS and (text := rule.check(values, launch.context))), None
    )
    if contradiction is not None:
        raise AutotunerError(
            ErrorCode.CONTRADICTION,
            "two parameters of llamacpp contradict each other",
            why=contradiction,
            remedy="leave one of them out",
        )
    flags: list[str] = []
    total = total_context(values, launch.context)
    if total is not None:
        flags += ["--ctx-size", str(total)]
    for parameter in CATALOGUE.parameters:
        value = values.get(parameter.name)
        if value is not None and parameter.name not in _EXPANDED:
            flags += _flag(parameter, value)
    for flag, kind in zip(("--cache-type-k", "--cache-type-v"), cache_types(values), strict=True):
        if kind != "f16":
            flags += [flag, kind]
    return flags


_CONTRADICTIONS = ("one_context", "one_cache_type")


def _flag(parameter: CatalogueParameter, value: str | int | float | bool) -> list[str]:
    if value is True:
        return [parameter.flag]
    if value is False:
        return list(parameter.off_flags[:1])
    return [parameter.flag, str(value)]


def _interpreter(runtime: Runtime) -> str:
    """The interpreter to use: ``runtime.python`` is one (its name starts with python) or the folder of a venv."""
    if runtime.python is None:
        return sys.executable
    path = PurePath(runtime.python)
    return str(path) if path.name.startswith(("python", "pypy")) else str(path / "bin" / "python")


def _version_in(interpreter: str) -> str:
    program = f"import importlib.metadata as m; print(m.version({PACKAGE!r}))"
    try:
        code, output = _run([interpreter, "-c", program])
    except (OSError, TimeoutError) as error:
        raise AutotunerError(
            ErrorCode.MISSING_EXTRA,
            f"the interpreter {interpreter} cannot be used",
            why=str(error) or "it did not answer",
            remedy="set runtime.python to a virtual environment or its interpreter",
            place="runtime.python",
        ) from error
    if code != 0:
        raise AutotunerError(
            ErrorCode.MISSING_EXTRA,
            f"the interpreter {interpreter} cannot run the engine llamacpp",
            why=f"it has no package {PACKAGE}",
            remedy=f"install it with: {interpreter} -m pip install {PACKAGE}=={VERSION}",
            place="runtime.python",
        )
    return output.strip()


def _check_command(command: Sequence[str]) -> RuntimeInfo:
    try:
        _, output = _run([*command, "--version"])
    except (OSError, TimeoutError) as error:
        raise AutotunerError(
            ErrorCode.MISSING_FILE,
            f"the command {command[0]} cannot be started",
            why=str(error) or "it did not answer",
            remedy="set runtime.command to the path of llama-server",
            place="runtime.command",
        ) from error
    found = re.search(r"version:\s*(\S+)", output)
    return RuntimeInfo(version=found.group(1) if found else "unknown", detail=" ".join(command))


def _run(argv: Sequence[str]) -> tuple[int, str]:
    """Exit code and output (both streams) of a short command; OSError, TimeoutError."""

    async def communicate() -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), CHECK_TIMEOUT_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, output.decode(errors="replace")

    # In a thread of its own, because the caller's may have a loop already.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, communicate()).result()
