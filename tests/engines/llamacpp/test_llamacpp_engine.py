"""The engine llamacpp passes the conformance suite; its context sizes, rules and runtime are tested here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from autotuner.contracts.engine import PlanContext, Runtime
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Scalar
from autotuner.engines.llamacpp import launcher
from autotuner.engines.llamacpp.catalogue import CATALOGUE, VERSION
from autotuner.engines.llamacpp.engine import LlamaCppEngine
from autotuner.engines.llamacpp.rules import RULES
from autotuner.engines.registry import ENGINES, engine, engine_for_model
from conformance.engine_suite import CHECKS, Case

CASE = Case(LlamaCppEngine())
MODEL = {"context_length": 4096, "head_dim": 64, "head_dim_v": 64}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conformance(check: Callable[[Case], None]) -> None:
    check(CASE)


def context_flag(parameters: dict[str, Scalar], longest: int = 0, limit: int = 4096) -> str | None:
    context = PlanContext(model="m", longest_request=longest, model_config={"context_length": limit})
    argv = CASE.engine.command(replace(CASE.launch(parameters), context=context)).argv
    return argv[argv.index("--ctx-size") + 1] if "--ctx-size" in argv else None


def test_context_is_per_request_or_total() -> None:
    assert context_flag({"max_model_len": 512, "n_parallel": 8}) == "4096"
    assert context_flag({"max_model_len": 512, "n_parallel": 8, "kv_unified": True}) == "4096"
    assert context_flag({"n_ctx": 1000, "n_parallel": 8}) == "1000"
    assert context_flag({"n_parallel": 8}) is None, "without a workload the engine decides"


def test_context_is_sized_for_the_workload() -> None:
    assert context_flag({}, longest=432) == "448"
    assert context_flag({"n_parallel": 8}, longest=432) == str(8 * 448)
    assert context_flag({"n_parallel": 2}, longest=4090) == str(2 * 4096), "never more than the model has"
    assert context_flag({"n_ctx": 0, "n_parallel": 4}, longest=432) == "0", "the engine's own default, insisted on"


def test_external_server_gets_its_own_flags() -> None:
    runtime = Runtime(command=("llama-server",))
    launch = replace(CASE.launch({"max_model_len": 256, "n_parallel": 2, "cache_type": "q8_0"}), runtime=runtime)
    command = CASE.engine.command(launch)
    assert command.argv[0] == "llama-server"
    assert command.argv[-6:] == ("--parallel", "2", "--cache-type-k", "q8_0", "--cache-type-v", "q8_0")
    assert command.argv[-8:-6] == ("--ctx-size", "512")
    assert "--metrics" in command.argv
    assert list(command.env) == ["LLAMA_API_KEY"]


@pytest.mark.parametrize("parameters", [{}, {"n_parallel": 1}])
def test_one_slot_is_said_to_an_external_server(parameters: dict[str, int]) -> None:
    """Left to itself llama-server makes four slots, which share the context that was sized for one."""
    launch = replace(CASE.launch({"max_model_len": 512, **parameters}), runtime=Runtime(command=("llama-server",)))
    argv = CASE.engine.command(launch).argv
    assert argv[argv.index("--parallel") + 1] == "1"
    assert argv[argv.index("--ctx-size") + 1] == "512"


def test_interpreter_of_the_runtime() -> None:
    def program(python: str | None) -> str:
        return CASE.engine.command(replace(CASE.launch({}), runtime=Runtime(python=python))).argv[0]

    assert program(None) == sys.executable
    assert program("/opt/venv") == "/opt/venv/bin/python"
    assert program("/opt/venv/bin/python3.12") == "/opt/venv/bin/python3.12"


BROKEN: list[tuple[str, dict[str, Scalar]]] = [
    ("request_fits_slot", {"n_ctx": 1024, "n_parallel": 4}),
    ("request_fits_slot", {"n_ctx": 1024, "n_parallel": 4, "kv_unified": True}),
    ("request_fits_slot", {"max_model_len": 256}),
    ("length_within_model", {"max_model_len": 5000}),
    ("one_context", {"max_model_len": 512, "n_ctx": 1024, "n_parallel": 4}),
    ("ubatch_within_batch", {"n_batch": 128, "n_ubatch": 256}),
    ("batch_holds_slots", {"n_batch": 4, "n_ubatch": 4, "n_parallel": 8}),
    ("quantised_v_needs_flash_attention", {"cache_type_v": "q4_0", "flash_attn": "off"}),
    ("quantised_v_needs_flash_attention", {"cache_type": "q8_0", "flash_attn": "off"}),
    ("one_cache_type", {"cache_type": "q8_0", "cache_type_k": "q4_0"}),
    ("threads_within_cores", {"threads": 3}),
    ("threads_within_cores", {"threads_batch": 3}),
]
KEPT: list[dict[str, Scalar]] = [
    {"n_ctx": 2048, "n_parallel": 4},
    {"n_parallel": 64},
    {"max_model_len": 448},
    {"max_model_len": 512, "n_ctx": 2048, "n_parallel": 4},
    {"n_batch": 512, "n_ubatch": 512},
    {"n_ubatch": 4, "n_parallel": 8},
    {"cache_type_k": "q4_0", "flash_attn": "off"},
    {"cache_type": "bf16", "flash_attn": "off"},
    {"threads": 2, "threads_batch": 2},
]


def broken(parameters: dict[str, Scalar], **facts: object) -> dict[str, str]:
    context = PlanContext(model="m", longest_request=440, cores=2, model_config=MODEL | facts)
    values = {parameter.name: parameter.default for parameter in CATALOGUE.parameters} | parameters
    found = ((rule.name, rule.check(values, context)) for rule in RULES)
    return {name: sentence for name, sentence in found if sentence}


@pytest.mark.parametrize(("rule", "parameters"), BROKEN)
def test_rules_refuse(rule: str, parameters: dict[str, Scalar]) -> None:
    sentences = broken(parameters)
    assert rule in sentences
    assert any(name.removesuffix("_k").removesuffix("_v") in sentences[rule] for name in (*parameters, "V cache"))


@pytest.mark.parametrize("parameters", KEPT)
def test_rules_admit(parameters: dict[str, Scalar]) -> None:
    assert broken(parameters) == {}


def test_rules_look_at_the_model() -> None:
    assert set(broken({}, context_length=256)) == {"request_fits_model", "request_fits_slot"}
    assert set(broken({"cache_type_k": "q8_0"}, head_dim=80)) == {"cache_blocks_fit_heads"}


def test_contradicting_parameters_are_never_written() -> None:
    with pytest.raises(AutotunerError) as error:
        CASE.engine.command(CASE.launch({"max_model_len": 512, "n_ctx": 100}))
    assert error.value.code is ErrorCode.CONTRADICTION


def test_launcher_takes_every_flag_of_the_catalogue() -> None:
    known = {flag for action in launcher.build_parser()._actions for flag in action.option_strings}
    assert {parameter.flag for parameter in CATALOGUE.parameters} <= known


def test_check_runtime_says_what_is_missing() -> None:
    assert CASE.engine.check_runtime(Runtime()).version == VERSION
    assert CASE.engine.check_runtime(Runtime(python=sys.executable)).version == VERSION
    assert "xllamacpp" not in sys.modules
    for runtime, code in (
        (Runtime(python="/nowhere/venv"), ErrorCode.MISSING_EXTRA),
        (Runtime(command=("/nowhere/llama-server",)), ErrorCode.MISSING_FILE),
    ):
        with pytest.raises(AutotunerError) as error:
            CASE.engine.check_runtime(runtime)
        assert error.value.code is code


def test_registry_knows_names_and_aliases() -> None:
    assert ENGINES.names()[0] == "llamacpp"
    for name in ("llamacpp", "LlamaCpp", *CASE.engine.aliases):
        assert engine(name).name == "llamacpp"
    assert engine_for_model("a/b.GGUF").name == "llamacpp"
    with pytest.raises(AutotunerError) as error:
        engine("lamacpp")
    assert error.value.code is ErrorCode.UNKNOWN_NAME
    assert "llamacpp" in error.value.remedy


def test_defaults_are_those_of_the_engine() -> None:
    """Read in another process, so that the engine is never loaded into this one."""
    program = """
import json, xllamacpp as x
p = x.CommonParams()
plain = [n for n in NAMES if isinstance(getattr(p, n, None), (int, float)) and not hasattr(getattr(p, n), "name")]
values = {n: getattr(p, n) for n in plain}
values |= {n: getattr(p, n).name.removeprefix("GGML_TYPE_").lower() for n in ("cache_type_k", "cache_type_v")}
values |= {"cache_type": values["cache_type_k"], "fit": "on" if p.fit_params else "off"}
values |= {"flash_attn": p.flash_attn_type.name.rpartition("_")[2].lower()}
values |= {"load_mode": p.load_mode.name.rpartition("_")[2].lower(), "numa": p.numa.name.rpartition("_")[2].lower()}
values |= {"threads": p.cpuparams.n_threads, "threads_batch": p.cpuparams_batch.n_threads}
values |= {"poll": p.cpuparams.poll, "prio": int(p.cpuparams.priority)}
print(json.dumps(values))
"""
    names = [parameter.name for parameter in CATALOGUE.parameters]
    done = subprocess.run(
        [sys.executable, "-c", f"NAMES = {names!r}\n{program}"], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert set(told) == set(names) - {"max_model_len"}
    for name, value in told.items():
        parameter = CATALOGUE.find(name)
        assert parameter
        if parameter.default is None:
            assert value <= 0, "what the engine works out at start is 0 or -1 there"
        else:
            assert (
                value == pytest.approx(parameter.default) if parameter.type == "float" else value == parameter.default
            )
