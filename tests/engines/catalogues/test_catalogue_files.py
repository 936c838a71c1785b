"""The shipped catalogues: what the notes on each engine's parser name stands literally here."""

import json
import re
from pathlib import Path

import pytest

from autotuner.contracts.engine import Catalogue, CatalogueParameter, canonical
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.catalogues import shelf as shelf_module
from autotuner.engines.catalogues.marks import knowledge
from autotuner.engines.catalogues.shelf import Shelf, as_text, file_name, version_key
from autotuner.engines.llamacpp.catalogue import CATALOGUE as LLAMACPP
from autotuner.planning.argv import check_argv

SHELF = Shelf()
FOLDER = Path(shelf_module.__file__).parent
ALL = [(held.engine, held.version) for name in SHELF.engines() for held in SHELF.versions(name)]


def read(engine: str, version: str | None = None) -> Catalogue:
    return SHELF.get(engine, version)


def flag(engine: str, spelling: str, version: str | None = None) -> CatalogueParameter:
    return read(engine, version).by_flag[spelling]


def refused(engine: str, *argv: str, version: str | None = None) -> list[str]:
    found = check_argv(read(engine, version), argv, whole=False)
    return [problem.kind for problem in found if problem.error]


def test_every_engine_is_there() -> None:
    assert ALL == [
        ("llamacpp", "2026.10.11549"),
        ("sglang", "0.5.23"),
        ("tensorrt-llm", "029e223d527d"),
        ("vllm", "0.33.0"),
        ("vllm", "0.32.0"),
    ]


@pytest.mark.parametrize(("engine", "version"), ALL)
def test_a_file_is_what_writing_its_catalogue_gives(engine: str, version: str) -> None:
    text = (FOLDER / file_name(engine, version)).read_text(encoding="utf-8")
    catalogue = read(engine, version)
    assert as_text(catalogue) == text
    assert (catalogue.engine, catalogue.version) == (engine, version)
    assert Catalogue.model_validate(json.loads(text)) == catalogue
    assert [entry.name for entry in catalogue.parameters] == sorted({entry.name for entry in catalogue.parameters}) or (
        engine == "llamacpp"
    )


@pytest.mark.parametrize(("engine", "version"), ALL)
def test_a_catalogue_is_consistent(engine: str, version: str) -> None:
    catalogue = read(engine, version)
    owner: dict[str, str] = {}
    for entry in (*catalogue.reserved, *catalogue.parameters):
        assert re.fullmatch(r"[a-z][a-z0-9_]*", entry.name), entry.name
        assert bool(entry.flag) != bool(entry.key), entry.name
        assert entry.help
        assert len(entry.help) <= 200
        assert (entry.type == "choice") <= bool(entry.choices), entry.name
        assert bool(entry.danger) == bool(entry.danger_rule)
        for spelling in filter(None, (entry.flag, *entry.flags, *entry.off_flags)):
            assert owner.setdefault(spelling, entry.name) == entry.name, spelling
        assert catalogue.find(entry.name) is (entry if entry in catalogue.parameters else None)
        for value in (entry.default, *entry.commonly_tuned):
            if entry.type == "choice" and value is not None:
                assert value in entry.choices, (entry.name, value)
            if entry.type in ("int", "float") and value is not None and value not in entry.words:
                assert isinstance(value, (int, float)), (entry.name, value)
                assert entry.low is None or value >= entry.low, (entry.name, value)
                assert entry.high is None or value <= entry.high, (entry.name, value)
    assert not {one.flag for one in catalogue.gone} & set(catalogue.by_flag)
    for one in catalogue.gone:
        assert set(one.instead) <= set(catalogue.by_flag), one


@pytest.mark.parametrize(("engine", "version"), ALL)
def test_no_beginning_of_a_flag_is_known(engine: str, version: str) -> None:
    catalogue = read(engine, version)
    for spelling in catalogue.by_flag:
        beginning = spelling[:-1]
        if beginning not in catalogue.by_flag and len(beginning) > 2:
            assert refused(engine, beginning, version=version)[:1] == ["unknown flag"] or any(
                one.flag == beginning for one in catalogue.gone
            )


# What the real parsers of these versions have, run where their engines are installed: the help of argparse, positionals
# and options.
ACTIONS = {("vllm", "0.32.0"): 318, ("vllm", "0.33.0"): 322, ("sglang", "0.5.23"): 532}


@pytest.mark.parametrize(("engine", "version"), ACTIONS)
def test_no_option_of_the_real_parser_is_missing(engine: str, version: str) -> None:
    catalogue = read(engine, version)
    assert 1 + len(catalogue.positionals) + len(catalogue.parameters) == ACTIONS[engine, version]


def test_the_catalogue_of_llamacpp_is_the_engines_own() -> None:
    assert read("llamacpp").parameters == LLAMACPP.parameters


# ---- vLLM


@pytest.mark.parametrize("version", ["0.32.0", "0.33.0"])
@pytest.mark.parametrize(
    ("spelling", "others"),
    [
        ("--tensor-parallel-size", {"-tp"}),
        ("--pipeline-parallel-size", {"-pp"}),
        ("--data-parallel-size", {"-dp"}),
        ("--decode-context-parallel-size", {"-dcp"}),
        ("--prefill-context-parallel-size", {"-pcp"}),
        ("--enable-expert-parallel", {"-ep"}),
        ("--quantization", {"-q"}),
        ("--gpu-memory-utilization", {"--device-memory-utilization"}),
        ("--max-model-len", set()),
        ("--kv-cache-dtype", set()),
        ("--all2all-backend", set()),
        ("--moe-backend", set()),
        ("--enable-eplb", set()),
        ("--max-num-seqs", set()),
        ("--max-num-batched-tokens", set()),
        ("--enable-chunked-prefill", set()),
        ("--long-prefill-token-threshold", set()),
        ("--enable-prefix-caching", set()),
        ("--scheduling-policy", set()),
        ("--async-scheduling", set()),
        ("--performance-mode", set()),
        ("--stream-interval", set()),
        ("--block-size", set()),
        ("--kv-cache-memory-bytes", set()),
        ("--num-gpu-blocks-override", set()),
        ("--cpu-offload-gb", set()),
        ("--attention-backend", set()),
        ("--dtype", set()),
        ("--enforce-eager", set()),
    ],
)
def test_vllm_has_the_flag(version: str, spelling: str, others: set[str]) -> None:
    entry = flag("vllm", spelling, version)
    assert entry.flag == spelling
    assert others <= set(entry.flags)


def test_vllm_defaults_values_and_opposites() -> None:
    assert flag("vllm", "--gpu-memory-utilization").default == 0.92
    assert (flag("vllm", "--max-num-batched-tokens").type, flag("vllm", "--max-num-batched-tokens").suffixes) == (
        "int",
        True,
    )
    assert set(flag("vllm", "--scheduling-policy").choices) == {"fcfs", "priority"}
    assert set(flag("vllm", "--performance-mode").choices) == {"balanced", "interactivity", "throughput"}
    assert flag("vllm", "--enable-prefix-caching").off_flags[0] == "--no-enable-prefix-caching"
    assert flag("vllm", "--enable-chunked-prefill").off_flags[0] == "--no-enable-chunked-prefill"
    assert flag("vllm", "--enable-expert-parallel").type == "bool"
    assert "auto" in flag("vllm", "--max-model-len").words


KV_CACHE = [
    "auto",
    "float16",
    "bfloat16",
    "fp8",
    "fp8_e4m3",
    "fp8_e5m2",
    "fp8_inc",
    "fp8_ds_mla",
    "nvfp4",
    "nvfp4_ds_mla",
    "nvfp4_4over6",
]
QUANTIZATION = [
    "awq",
    "auto_awq",
    "fp8",
    "fbgemm_fp8",
    "fp_quant",
    "modelopt",
    "modelopt_fp4",
    "modelopt_mxfp8",
    "modelopt_mixed",
    "auto_gptq",
    "gptq",
    "gptq_marlin",
    "awq_marlin",
    "humming",
    "compressed-tensors",
    "experts_int8",
    "quark",
    "moe_wna16",
    "torchao",
    "inc",
    "mxfp4",
    "gpt_oss_mxfp4",
    "deepseek_v4_fp8",
    "online",
    "fp8_per_tensor",
    "fp8_per_block",
    "fp8_per_channel",
    "int8_per_channel_weight_only",
    "nvfp4_per_token",
    "mxfp8",
]
ATTENTION = [
    "FLASH_ATTN",
    "FLASHINFER",
    "TRITON_ATTN",
    "FLASHMLA",
    "CUTLASS_MLA",
    "FLASH_ATTN_MLA",
    "TRITON_MLA",
    "FLEX_ATTENTION",
    "CPU_ATTN",
]


def test_the_value_lists_of_vllm_are_those_of_its_source() -> None:
    assert set(flag("vllm", "--kv-cache-dtype", "0.33.0").choices) >= set(KV_CACHE)
    assert "int8_per_token_head" in flag("vllm", "--kv-cache-dtype", "0.33.0").choices
    assert set(flag("vllm", "--quantization", "0.33.0").choices) == set(QUANTIZATION)
    assert set(flag("vllm", "--attention-backend", "0.33.0").choices) >= set(ATTENTION)


@pytest.mark.parametrize("version", ["0.32.0", "0.33.0"])
@pytest.mark.parametrize("spelling", ["--quantization", "--attention-backend", "--kv-cache-dtype"])
def test_vllm_refuses_values_that_its_parser_takes(version: str, spelling: str) -> None:
    assert refused("vllm", spelling, "bogus", version=version) == ["bad value"]


@pytest.mark.parametrize("version", ["0.32.0", "0.33.0"])
@pytest.mark.parametrize(
    "spelling",
    [
        "--swap-space",
        "--max-seq-len-to-capture",
        "--num-scheduler-steps",
        "--use-v2-block-manager",
        "--max-num-partial-prefills",
        "--calculate-kv-scales",
        "--expert-parallel-size",
        "--tensor-parallel",
    ],
)
def test_vllm_does_not_have_the_flag(version: str, spelling: str) -> None:
    (kind,) = refused("vllm", spelling, "4", version=version)
    assert kind == ("unknown flag" if spelling in ("--expert-parallel-size", "--tensor-parallel") else "gone flag")


def test_what_came_with_vllm_0_33() -> None:
    assert refused("vllm", "--disable-prefix-caching", version="0.32.0") == ["unknown flag"]
    assert refused("vllm", "--disable-prefix-caching", version="0.33.0") == []
    assert refused("vllm", "--disable-chunked-prefill", version="0.33.0") == []
    assert refused("vllm", "--disable-log-requests", version="0.32.0") == ["gone flag"]
    assert refused("vllm", "--disable-log-requests", version="0.33.0") == []
    assert refused("vllm", "--max-num-batched-tokens", "8k", "--no-enable-prefix-caching", "-tp", "2") == []


# ---- SGLang


@pytest.mark.parametrize(
    ("spelling", "others"),
    [
        ("--tp-size", {"--tensor-parallel-size"}),
        ("--pp-size", {"--pipeline-parallel-size"}),
        ("--dp-size", {"--data-parallel-size"}),
        ("--ep-size", {"--ep", "--expert-parallel-size"}),
        ("--dcp-size", {"--decode-context-parallel-size"}),
        ("--attn-cp-size", {"--attention-context-parallel-size"}),
        ("--moe-dense-tp-size", set()),
        ("--mem-fraction-static", set()),
        ("--enable-prefill-cp", set()),
        ("--cp-strategy", set()),
        ("--attn-dp-size", set()),
        ("--moe-dp-size", set()),
        ("--moe-a2a-backend", set()),
        ("--moe-runner-backend", set()),
        ("--max-running-requests", set()),
        ("--max-total-tokens", set()),
        ("--chunked-prefill-size", set()),
        ("--max-prefill-tokens", set()),
        ("--prefill-max-requests", set()),
        ("--enable-mixed-chunk", set()),
        ("--enable-dynamic-chunking", set()),
        ("--disable-radix-cache", set()),
        ("--page-size", set()),
        ("--schedule-conservativeness", set()),
        ("--prefill-attention-backend", set()),
        ("--decode-attention-backend", set()),
        ("--cuda-graph-max-bs-decode", set()),
        ("--cuda-graph-max-bs-prefill", set()),
        ("--cuda-graph-bs-decode", set()),
        ("--cuda-graph-bs-prefill", set()),
        ("--cuda-graph-backend-decode", set()),
        ("--cuda-graph-backend-prefill", set()),
        ("--model-path", {"--model"}),
    ],
)
def test_sglang_has_the_flag(spelling: str, others: set[str]) -> None:
    entry = flag("sglang", spelling)
    assert entry.flag == spelling
    assert others <= set(entry.flags)


SGLANG_VALUES = {
    "--schedule-policy": "lpm random fcfs dfs-weight lof priority routing-key hrrn shortest-prefill-first",
    "--kv-cache-dtype": "auto fp8_e5m2 fp8_e4m3 mxfp8 bf16 bfloat16 nvfp4 fp4_mx_block16",
    "--radix-eviction-policy": "lru lfu slru priority tlru",
    "--attention-backend": "triton torch_native flex_attention dsa nsa qsa dsv4 compressed fa3 fa4 flashinfer "
    "llada2_cfg_flashinfer flashmla trtllm_mla cutedsl_mla tokenspeed_mla trtllm_mha hpc_ops minicpm_flashattn "
    "minicpm_flashinfer aiter wave intel_amx ascend intel_xpu",
    "--quantization": "awq fp8 mxfp8 gptq gptq_marlin awq_marlin bitsandbytes gguf modelopt modelopt_fp8 modelopt_fp4 "
    "nvfp4_online modelopt_mixed petit_nvfp4 w8a8_int8 w8a8_fp8 moe_wna16 w4afp8 mxfp4 auto-round auto-round-int8 "
    "compressed-tensors modelslim mxfp_w4a8 quark quark_int4fp8_moe quark_mxfp4 mlx_q4 mlx_q8 unquant humming",
}


@pytest.mark.parametrize("spelling", SGLANG_VALUES)
def test_the_value_lists_of_sglang(spelling: str) -> None:
    assert set(flag("sglang", spelling).choices) == set(SGLANG_VALUES[spelling].split())
    assert refused("sglang", spelling, "bogus") == ["bad value"]


def test_sglang_defaults_and_what_is_gone_or_deprecated() -> None:
    assert flag("sglang", "--schedule-policy").default == "fcfs"
    assert refused("sglang", "--kv-cache-dtype", "fp8") == ["bad value"]
    for spelling in ("--cp-size", "--enable-ep-moe", "--enable-deepep-moe", "--cuda-graph-max-bs", "--cuda-graph-bs"):
        assert refused("sglang", spelling, "4") == ["gone flag"], spelling
    for spelling in ("--tp", "--dp", "--pp"):
        assert refused("sglang", spelling, "2") == ["unknown flag"], "its own parser takes some of these beginnings"
    for spelling in ("--enable-dp-attention", "--disable-cuda-graph"):
        (problem,) = check_argv(read("sglang"), [spelling], whole=False)
        assert problem.kind == "deprecated"
    assert [problem.kind for problem in check_argv(read("sglang"), ["--tp-size", "2"])] == ["missing flag"]


# ---- TensorRT-LLM


@pytest.mark.parametrize(
    ("spelling", "other", "default"),
    [
        ("--tensor_parallel_size", "--tp_size", 1),
        ("--pipeline_parallel_size", "--pp_size", 1),
        ("--context_parallel_size", "--cp_size", 1),
        ("--moe_expert_parallel_size", "--ep_size", None),
        ("--moe_cluster_parallel_size", "--cluster_size", None),
        ("--free_gpu_memory_fraction", "--kv_cache_free_gpu_memory_fraction", 0.9),
        ("--config", "--extra_llm_api_options", None),
        ("--max_batch_size", None, 2048),
        ("--max_num_tokens", None, 8192),
        ("--max_seq_len", None, None),
        ("--enable_attention_dp", None, False),
        ("--enable_chunked_prefill", None, False),
        ("--served_model_name", None, None),
    ],
)
def test_tensorrt_llm_has_the_flag(spelling: str, other: str | None, default: object) -> None:
    entry = flag("tensorrt-llm", spelling)
    assert entry.flag == spelling
    assert entry.default == default
    assert other is None or other in entry.flags


def test_tensorrt_llm_values_and_keys() -> None:
    catalogue = read("tensorrt-llm")
    assert set(flag("tensorrt-llm", "--kv_cache_dtype").choices) == {"auto", "fp8", "nvfp4"}
    assert set(flag("tensorrt-llm", "--backend").choices) == {"pytorch", "_autodeploy"}
    assert flag("tensorrt-llm", "--backend").deprecated
    assert flag("tensorrt-llm", "--cluster_size").deprecated
    assert refused("tensorrt-llm", "--backend", "tensorrt") == ["bad value"]
    assert refused("tensorrt-llm", "--tensor-parallel-size", "2") == ["unknown flag"], "its flags have underscores"
    for key in (
        "moe_tensor_parallel_size",
        "kv_cache_config.enable_block_reuse",
        "scheduler_config.capacity_scheduler_policy",
        "attn_backend",
        "moe_config",
        "cuda_graph_config",
    ):
        entry = catalogue.find(key)
        assert entry is not None
        assert (entry.flag, entry.key) == ("", key)
    assert refused("tensorrt-llm", "--moe_tensor_parallel_size", "2") == ["gone flag"]
    assert len([entry for entry in catalogue.parameters if entry.flag]) == 50


# ---- dangers


@pytest.mark.parametrize(
    ("engine", "spelling", "does"),
    [
        ("vllm", "--trust-remote-code", "loads code"),
        ("vllm", "--middleware", "loads code"),
        ("vllm", "--tool-parser-plugin", "loads code"),
        ("vllm", "--reasoning-parser-plugin", "loads code"),
        ("vllm", "--worker-cls", "loads code"),
        ("vllm", "--allowed-local-media-path", "reads or writes files"),
        ("vllm", "--chat-template", "reads or writes files"),
        ("vllm", "--otlp-traces-endpoint", "opens the network"),
        ("vllm", "--host", "opens the network"),
        ("sglang", "--trust-remote-code", "loads code"),
        ("sglang", "--custom-weight-loader", "loads code"),
        ("sglang", "--file-storage-path", "reads or writes files"),
        ("sglang", "--dist-init-addr", "opens the network"),
        ("tensorrt-llm", "--trust_remote_code", "loads code"),
        ("tensorrt-llm", "--middleware", "loads code"),
        ("tensorrt-llm", "--telemetry", "opens the network"),
    ],
)
def test_what_is_dangerous_is_marked(engine: str, spelling: str, does: str) -> None:
    entry = flag(engine, spelling)
    assert entry.dangerous
    assert entry.danger == does


@pytest.mark.parametrize(("engine", "version"), ALL)
def test_nothing_that_is_commonly_tuned_is_dangerous(engine: str, version: str) -> None:
    assert [entry.flag for entry in read(engine, version).parameters if entry.commonly_tuned and entry.dangerous] == []


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_no_flag_that_sounds_dangerous_is_unmarked(engine: str) -> None:
    sounding = re.compile(r"plugin|[-_]cls$|trust|middleware|[-_](path|dir|file|folder|url|addr|endpoint)s?$|^--ssl")
    unmarked = {entry.flag for entry in read(engine).parameters if sounding.search(entry.flag) and not entry.dangerous}
    assert unmarked <= set(knowledge(engine).harmless)


@pytest.mark.parametrize("engine", SHELF.engines())
def test_what_is_known_beside_the_parser_names_flags_that_exist(engine: str) -> None:
    known = knowledge(engine)
    flags = {flag for held in SHELF.versions(engine) for flag in held.read().by_flag}
    keys = {entry.key for entry in read(engine).parameters}
    named = {*known.tuned, *known.names, *known.values, *known.harmless, *known.deprecated, *known.without_restart}
    named |= {flag for listed in known.units.values() for flag in listed}
    named |= {flag for danger in known.dangers for flag in danger.flags if "*" not in flag}
    assert named - flags - keys == set()
    for entry in read(engine).parameters:
        spelling = entry.flag or entry.key
        assert entry.commonly_tuned == known.tuned.get(spelling, ()) or engine == "llamacpp", spelling


# ---- the shelf


def test_versions_and_names_are_found() -> None:
    assert read("vllm").version == "0.33.0"
    assert read("vllm", "0.32").version == "0.32.0"
    assert read("VLLM", "v0.32.0+cpu").version == "0.32.0"
    assert read("trtllm").engine == "tensorrt-llm"
    assert read("tensorrt_llm").engine == "tensorrt-llm"
    assert read("llama.cpp").engine == "llamacpp"
    with pytest.raises(AutotunerError) as unknown:
        SHELF.versions("vlm")
    assert unknown.value.code is ErrorCode.UNKNOWN_NAME
    assert "'vllm'" in unknown.value.remedy
    with pytest.raises(AutotunerError) as missing:
        read("vllm", "0.3")
    assert missing.value.code is ErrorCode.NOT_FOUND
    assert "0.33.0, 0.32.0" in missing.value.why


def test_versions_are_in_order() -> None:
    versions = ["0.5.23", "0.5.5", "0.5.5.post3", "1.0.0rc1", "1.0.0", "0.33.0", "0.9"]
    assert sorted(versions, key=version_key) == ["0.5.5", "0.5.5.post3", "0.5.23", "0.9", "0.33.0", "1.0.0rc1", "1.0.0"]


def test_a_learned_catalogue_comes_before_the_shipped_one(tmp_path: Path) -> None:
    mine = Catalogue(
        engine="vllm",
        version="0.33.0",
        parameters=(CatalogueParameter(name="only", flag="--only", type="int", help="the only one"),),
    )
    (tmp_path / file_name("vllm", "0.33.0")).write_text(as_text(mine), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no catalogue")
    shelf = Shelf(tmp_path)
    assert shelf.get("vllm") == mine
    assert [(held.version, held.learned) for held in shelf.versions("vllm")] == [("0.33.0", True), ("0.32.0", False)]
    (tmp_path / file_name("vllm", "0.33.0")).write_text("{", encoding="utf-8")
    with pytest.raises(AutotunerError) as error:
        shelf.get("vllm")
    assert error.value.code is ErrorCode.STORAGE
    assert Shelf(tmp_path / "absent").get("vllm").version == "0.33.0"


def test_canonical_spellings_lead_to_parameters() -> None:
    assert canonical("--TP-size") == "tp_size"
    assert read("sglang").find("tensor_parallel_size") is read("sglang").by_flag["--tp-size"]
    assert read("sglang").find("max_num_seqs") is read("sglang").by_flag["--max-running-requests"]
