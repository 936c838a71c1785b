"""vLLM, SGLang and TensorRT-LLM pass the conformance suite, and write values unharmed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.contracts.attempt import Command
from autotuner.contracts.engine import Engine, PlanContext, Runtime
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Scalar
from autotuner.engines.installed import version_warning
from autotuner.engines.registry import ENGINES, engine
from autotuner.engines.sglang.engine import SglangEngine
from autotuner.engines.tensorrt_llm.engine import TensorrtLlmEngine
from autotuner.engines.vllm.engine import VllmEngine
from autotuner.planning.argv import arguments_from, check_argv
from conformance.engine_suite import CHECKS, Case
from engine_plans import plan


def case(of: Engine) -> Case:
    return Case(of, context=PlanContext(model="models/a model.bin", longest_request=0))


CASES = (
    case(VllmEngine()),
    case(VllmEngine("0.32")),
    case(SglangEngine()),
    case(TensorrtLlmEngine()),
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("of", CASES, ids=lambda of: f"{of.engine.name} {of.engine.catalogue.version}")
def test_conformance(of: Case, check: Callable[[Case], None]) -> None:
    check(of)


@pytest.mark.parametrize("name", ["vllm", "sglang", "tensorrt-llm", "trtllm", "tensorrt_llm", "trt-llm"])
def test_names(name: str) -> None:
    assert engine(name).name == ENGINES.resolve(name)


def command(of: Engine, parameters: dict[str, Scalar], runtime: Runtime | None = None) -> Command:
    launch = Case(of).launch(parameters)
    return of.command(replace(launch, runtime=runtime or Runtime()))


def test_the_whole_command_of_each_engine() -> None:
    runtime = Runtime(python="/opt/venv", env={"A": "b"}, extra_args=("--x",), launcher_prefix=("numactl", "-m0"))
    vllm = command(VllmEngine(), {"max_num_seqs": 64}, runtime)
    assert vllm.argv == (
        *("numactl", "-m0", "/opt/venv/bin/python", "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", "models/a model.bin", "--host", "{host}", "--port", "{port}"),
        *("--served-model-name", "served name", "--max-num-seqs", "64", "--x"),
    )
    assert vllm.env == {"VLLM_API_KEY": "{api_key}", "A": "b"}
    sglang = command(SglangEngine(), {"max_running_requests": 64}, runtime)
    assert sglang.argv == (
        *("numactl", "-m0", "/opt/venv/bin/python", "-m", "sglang.launch_server"),
        *("--model-path", "models/a model.bin", "--host", "{host}", "--port", "{port}"),
        *(
            "--served-model-name",
            "served name",
            "--config",
            "{file:server.yaml}",
            "--max-running-requests",
            "64",
            "--x",
        ),
    )
    assert (sglang.env, json.loads(sglang.files["server.yaml"])) == ({"A": "b"}, {"api-key": "{api_key}"})
    trtllm = command(TensorrtLlmEngine(), {"max_batch_size": 64, "tensor_parallel_size": 2}, runtime)
    assert trtllm.argv == (
        *("numactl", "-m0", "/opt/venv/bin/trtllm-serve", "models/a model.bin", "--host", "{host}", "--port", "{port}"),
        *("--served_model_name", "served name", "--max_batch_size", "64", "--tp_size", "2", "--x"),
    )
    assert (trtllm.env, trtllm.files) == ({"A": "b"}, {})


def test_vllm_serve_takes_the_model_without_a_flag() -> None:
    argv = command(VllmEngine(), {}, Runtime(command=("vllm", "serve"))).argv
    assert argv[:4] == ("vllm", "serve", "models/a model.bin", "--host")
    assert "--model" not in argv


def test_what_has_no_flag_goes_into_the_file() -> None:
    of = TensorrtLlmEngine()
    names = {p.key: p.name for p in of.catalogue.parameters if p.key}
    made = command(
        of,
        {
            names["moe_tensor_parallel_size"]: 2,
            names["kv_cache_config.enable_block_reuse"]: False,
            names["cuda_graph_config"]: "null",
        },
    )
    assert made.argv[-2:] == ("--config", "{file:trtllm.yaml}")
    assert json.loads(made.files["trtllm.yaml"]) == {
        "moe_tensor_parallel_size": 2,
        "kv_cache_config": {"enable_block_reuse": False},
        "cuda_graph_config": None,
    }


def test_booleans_have_a_negative_form_where_the_engine_has_one() -> None:
    assert command(VllmEngine(), {"enable_prefix_caching": False}).argv[-1] == "--no-enable-prefix-caching"
    assert command(VllmEngine(), {"enforce_eager": True}).argv[-1] == "--enforce-eager"
    assert command(SglangEngine(), {"disable_radix_cache": True}).argv[-1] == "--disable-radix-cache"
    assert command(SglangEngine(), {"disable_radix_cache": False}) == command(SglangEngine(), {})


def test_a_list_is_never_cut() -> None:
    of = SglangEngine()
    lists = [p for p in of.catalogue.parameters if p.type == "list" and p.items == "int" and p.arity == "some"]
    assert lists
    for parameter in lists:
        argv = command(of, {parameter.name: "[1, 2, 4, 8]"}).argv
        assert argv[-5:] == (parameter.flag, "1", "2", "4", "8")


TEXTS = st.text(min_size=1, max_size=30).filter(lambda text: "\x00" not in text)


@settings(max_examples=100, deadline=None)
@given(text=st.one_of(TEXTS, st.sampled_from(["None", "true", "a b", '"q"', "it's", '{"a": [1, null]}', "-x", "é✓"])))
def test_text_passes_unharmed(text: str) -> None:
    for of, name in (
        (VllmEngine(), "tokenizer"),
        (SglangEngine(), "tokenizer_path"),
        (TensorrtLlmEngine(), "tokenizer"),
    ):
        parameter = of.catalogue.find(name)
        assert parameter is not None
        argv = command(of, {parameter.name: text}).argv
        assert argv[-2:] == (parameter.flag, text) or argv[-1] == f"{parameter.flag}={text}"


@settings(max_examples=100, deadline=None)
@given(
    value=st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, lambda inner: st.dictionaries(TEXTS, inner))
)
def test_json_passes_unharmed(value: object) -> None:
    text = json.dumps(value)
    argv = command(VllmEngine(), {"compilation_config": text}).argv
    written = argv[-1].removeprefix("--compilation-config=")
    assert json.loads(written) == value


@pytest.mark.parametrize("of", CASES, ids=lambda of: f"{of.engine.name} {of.engine.catalogue.version}")
def test_commonly_tuned_values_are_what_the_catalogue_knows(of: Case) -> None:
    catalogue = of.engine.catalogue
    for parameter in catalogue.parameters:
        for value in parameter.commonly_tuned:
            argv = of.engine.command(of.launch({parameter.name: value})).argv
            start = arguments_from(catalogue, argv)
            problems = check_argv(catalogue, argv[start:])
            assert not [problem for problem in problems if problem.error], parameter.name


OWN = {
    "vllm": ["model", "--host", "port", "served-model-name", "api_key", "--uds"],
    "sglang": ["model", "model_path", "host", "--port", "served-model-name", "api-key"],
    "tensorrt-llm": ["model", "host", "port", "--served_model_name", "config"],
    "llamacpp": ["model", "host", "port", "alias"],
}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("free", [False, True])
def test_what_the_tuner_sets_is_refused_in_a_plan(name: str, free: bool) -> None:
    for spelling in OWN[name]:
        with pytest.raises(AutotunerError) as caught:
            plan(name, parameters={spelling: [1, 2]}, runtime={"allow_unknown_flags": free})
        error = caught.value
        assert (error.code, error.place) == (ErrorCode.CONTRADICTION, f"parameters.{spelling}"), spelling
        assert error.what == f"{spelling} of {name} cannot be set"
        assert "this program sets the model, the address" in error.why
    flags = [flag for flag in OWN[name] if flag.startswith("--")] or ["--port"]
    for words in ([flags[0], "x"], [f"{flags[0]}=x"]):
        with pytest.raises(AutotunerError) as caught:
            plan(name, runtime={"extra_args": words})
        assert (caught.value.code, caught.value.place) == (ErrorCode.CONTRADICTION, "runtime.extra_args")


def test_what_the_tuner_sets_is_refused_in_a_reference() -> None:
    with pytest.raises(AutotunerError) as caught:
        plan(
            "vllm",
            parameters={"max-num-seqs": [8, 16]},
            optimization={"references": [{"label": "mine", "parameters": {"port": 8000}}]},
        )
    assert caught.value.place == "optimization.references.0.parameters.port"


@pytest.mark.parametrize("of", CASES, ids=lambda of: f"{of.engine.name} {of.engine.catalogue.version}")
def test_what_the_tuner_sets_is_refused(of: Case) -> None:
    assert {"host", "port", "served_model_name"} <= {parameter.name for parameter in of.engine.catalogue.reserved}
    for parameter in of.engine.catalogue.reserved:
        with pytest.raises(AutotunerError) as caught:
            of.engine.command(of.launch({parameter.name: 8000 if parameter.type == "int" else "x"}))
        assert caught.value.code is ErrorCode.CONTRADICTION


def test_another_minor_version_is_a_warning() -> None:
    catalogue = VllmEngine("0.33").catalogue
    assert version_warning(catalogue, "0.33.4") is None
    assert version_warning(catalogue, None) is None
    assert "0.32.0" in (version_warning(catalogue, "0.32.0") or "")


def test_a_missing_engine_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(AutotunerError) as caught:
        VllmEngine().check_runtime(Runtime(python=str(tmp_path)))
    assert caught.value.place == "runtime.python"
    with pytest.raises(AutotunerError) as missing:
        SglangEngine().check_runtime(Runtime(command=("/no/such/program",)))
    assert missing.value.place == "runtime.command"


def test_an_engine_directory_fixes_its_sizes(tmp_path: Path) -> None:
    (tmp_path / "rank0.engine").write_bytes(b"")
    mapping = {"tp_size": 4, "pp_size": 1}
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_config": {"mapping": mapping}}))
    of = TensorrtLlmEngine()
    context = PlanContext(model="built", model_config=of.read_model(str(tmp_path)))
    broken = [text for rule in of.rules if (text := rule.check({"tensor_parallel_size": 8}, context))]
    assert broken == ["built was built with tensor_parallel_size 4, which is fixed"]
