"""What SGLang and TensorRT-LLM write when they fail is diagnosed rightly.

The lines are not recorded: they are made from the format strings of the engines' sources (SGLang 0.5.23; TensorRT-LLM's
public repository), with values put in as those strings would.
"""

from __future__ import annotations

import pytest

from autotuner.contracts.attempt import FailureClass, LogPattern
from autotuner.deploy.local.diagnosis import Exit, diagnose
from autotuner.engines.sglang.logs import LOG_PATTERNS as SGLANG
from autotuner.engines.tensorrt_llm.logs import LOG_PATTERNS as TENSORRT_LLM

OOM, BAD, PORT = FailureClass.OOM, FailureClass.BAD_ARGUMENT, FailureClass.PORT
UNSUPPORTED, CRASH = FailureClass.UNSUPPORTED, FailureClass.CRASH

SCHEDULER = "[2026-11-20 10:00:00 TP0] Scheduler hit an exception: Traceback (most recent call last):"
"""managers/scheduler.py; the exception's own lines follow."""
SIGQUIT = "[2026-11-20 10:00:00] Received sigquit from a child process. It usually means the child failed."  # engine.py

CASES: list[tuple[str, tuple[LogPattern, ...], list[str], FailureClass, str]] = [
    (
        "sglang: no room for the KV cache (model_executor/pool_configurator.py)",
        SGLANG,
        [
            SCHEDULER,
            (
                "RuntimeError: Not enough memory. Please try to increase --mem-fraction-static. "
                "Current value: mem_fraction_static=0.3"
            ),
            SIGQUIT,
        ],
        OOM,
        "the weights leave no room for the KV cache (",
    ),
    (
        "sglang: another program on a GPU (distributed/bootstrap.py)",
        SGLANG,
        [
            SCHEDULER,
            (
                "RuntimeError: The memory capacity is unbalanced. Some GPUs may be occupied by other processes. "
                "pre_model_load_memory=20.1, local_gpu_memory=78.6, local_gpu_memory * 0.9=70.74"
            ),
            SIGQUIT,
        ],
        OOM,
        "another process holds memory of a GPU (",
    ),
    (
        "sglang: the pool is empty in the middle of a load (mem_cache/allocation.py)",
        SGLANG,
        [
            "[2026-11-20 10:00:00 TP0] Decode out of memory. Try to lower your batch size.",
            "Try to allocate 128 tokens.",
            SCHEDULER,
            "RuntimeError: Decode out of memory. Try to lower your batch size.",
            SIGQUIT,
        ],
        OOM,
        "the KV cache did not suffice while requests were computed (",
    ),
    (
        "sglang: no slot for a request (mem_cache/allocation.py)",
        SGLANG,
        [
            SCHEDULER,
            (
                "RuntimeError: alloc_req_slots runs out of memory. Please set a smaller number for "
                "`--max-running-requests`. req_to_token_pool.available_size()=0, num_reqs=1, "
            ),
        ],
        OOM,
        "the KV cache did not suffice while requests were computed (",
    ),
    (
        "sglang: no memory for CUDA graphs (model_executor/runner/decode_cuda_graph_runner.py)",
        SGLANG,
        [
            SCHEDULER,
            "Exception: Capture cuda graph failed: CUDA out of memory. Tried to allocate 2.00 GiB.",
            "Possible solutions:",
            "1. set --mem-fraction-static to a smaller value (e.g., 0.8 or 0.7)",
        ],
        OOM,
        "the GPU's memory did not suffice (",
    ),
    (
        "sglang: an internal port (server_args.py)",
        SGLANG,
        [
            (
                "[2026-11-20 10:00:00] Port is already in use. dist_init_port=30233 port_base=30234 "
                "detokenizer_port=30235 nccl_port=30301 scheduler_input_port=30238"
            ),
            (
                "ValueError: dist_init_port at 30233 is not available in 30 seconds. "
                "dist_init_port at 30233 is not available"
            ),
        ],
        PORT,
        "one of the server's ports was taken by another process (",
    ),
    (
        "sglang: an internal port (entrypoints/engine.py)",
        SGLANG,
        ["RuntimeError: engine_info_bootstrap_port 6789 is already in use. When running multiple instances on the "],
        PORT,
        "one of the server's ports was taken by another process (",
    ),
    (
        "sglang: a model that it does not know (models/registry.py)",
        SGLANG,
        [
            SCHEDULER,
            (
                "ValueError: Model architectures ['NewForCausalLM'] are not supported for now. "
                "Supported architectures: dict_keys(['LlamaForCausalLM'])"
            ),
            SIGQUIT,
        ],
        UNSUPPORTED,
        "this version of the engine, or this hardware, cannot do it (",
    ),
    (
        "sglang: a GPU that is too old (layers/quantization/compressed_tensors)",
        SGLANG,
        [SCHEDULER, "RuntimeError: NVFP4 w4a4 requires compute capability >= 10.0; serving "],
        UNSUPPORTED,
        "this version of the engine, or this hardware, cannot do it (",
    ),
    (
        "sglang: a combination that it refuses (arg_groups/attention_hook.py)",
        SGLANG,
        ["ValueError: --dcp-size 4 must divide --tp-size 2."],
        BAD,
        "the engine refused this combination of parameters (",
    ),
    (
        "sglang: an assertion without words",
        SGLANG,
        [SCHEDULER, "AssertionError", SIGQUIT],
        BAD,
        "the engine refused this combination of parameters (",
    ),
    (
        "sglang: its parser (launch_server.py)",
        SGLANG,
        ["launch_server.py: error: unrecognized arguments: --no-such-flag"],
        BAD,
        "the engine refused one of its arguments (",
    ),
    (
        "sglang: a scheduler that is killed (entrypoints/engine.py)",
        SGLANG,
        [
            (
                "RuntimeError: Rank 0 scheduler died during initialization (exit code: -9). If exit code is -9 "
                "(SIGKILL), a common cause is the OS OOM killer. Run `dmesg -T | grep -i oom` to check."
            )
        ],
        CRASH,
        "the engine's scheduler died (",
    ),
    (
        "sglang: a process that dies later (utils/watchdog.py)",
        SGLANG,
        ["Subprocess scheduler_0 (pid=4242) crashed with exit code -11. Triggering SIGQUIT for cleanup..."],
        CRASH,
        "the engine's scheduler died (",
    ),
    (
        "tensorrt-llm: no memory for the model (py_executor_creator.py, executor/proxy.py)",
        TENSORRT_LLM,
        [
            "RuntimeError: Executor creation failed due to insufficient GPU memory.",
            "The following component could not be created: Model",
            "RuntimeError: Executor worker returned error",
        ],
        OOM,
        "the GPU's memory did not suffice (",
    ),
    (
        "tensorrt-llm: the port (commands/serve.py)",
        TENSORRT_LLM,
        ["RuntimeError: Failed to bind socket to 127.0.0.1:8000: [Errno 98] Address already in use"],
        PORT,
        "one of the server's ports was taken by another process (",
    ),
    (
        "tensorrt-llm: a host without GPUs (commands/serve.py)",
        TENSORRT_LLM,
        ["ValueError: No GPU devices found on the node"],
        UNSUPPORTED,
        "the host has no GPU that the engine can see (",
    ),
    (
        "tensorrt-llm: a model that it does not know (modeling_auto.py)",
        TENSORRT_LLM,
        [
            "ValueError: Unknown architecture for AutoModelForCausalLM: NewForCausalLM",
            "RuntimeError: Executor worker returned error",
        ],
        UNSUPPORTED,
        "this version of the engine, or this hardware, cannot do it (",
    ),
    (
        "tensorrt-llm: sizes that do not multiply (mapping.py)",
        TENSORRT_LLM,
        ["ValueError: world_size must equal to tp_size * pp_size * cp_size, but got 8 != 4 * 1 * 1."],
        BAD,
        "the engine refused this combination of parameters (",
    ),
    (
        "tensorrt-llm: a key of the file (pydantic, of TorchLlmArgs)",
        TENSORRT_LLM,
        ["pydantic_core._pydantic_core.ValidationError: 1 validation error for TorchLlmArgs"],
        BAD,
        "the engine refused a key of its configuration file (",
    ),
    (
        "tensorrt-llm: its parser (click)",
        TENSORRT_LLM,
        ["Usage: trtllm-serve serve [OPTIONS] MODEL", "", "Error: No such option: --tp"],
        BAD,
        "the engine refused one of its arguments (",
    ),
    (
        "tensorrt-llm: a worker that says nothing else (executor/proxy.py)",
        TENSORRT_LLM,
        ["[TRT-LLM] [E] Executor worker initialization error: Traceback (most recent call last):"],
        CRASH,
        "a worker of the engine died (",
    ),
]


@pytest.mark.parametrize(("patterns", "lines", "kind", "sentence"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_failure_is_diagnosed(
    patterns: tuple[LogPattern, ...], lines: list[str], kind: FailureClass, sentence: str
) -> None:
    found = diagnose(Exit(code=1), patterns, "\n".join(lines), "")
    assert found.kind is kind, found.diagnosis
    assert found.diagnosis.startswith(sentence)
    assert found.hint


@pytest.mark.parametrize("patterns", [SGLANG, TENSORRT_LLM], ids=["sglang", "tensorrt-llm"])
def test_a_healthy_start_matches_nothing(patterns: tuple[LogPattern, ...]) -> None:
    """What they write on every start; then the way the process ended decides."""
    healthy = [
        "'python -m sglang.launch_server' is still supported, but 'sglang serve' is the recommended entrypoint.",
        "[2026-11-20 10:00:00 TP0] Memory pool end. avail mem=6.08 GB",
        "[2026-11-20 10:00:00] The server is fired up and ready to roll!",
        "[TRT-LLM] [I] Using LLM with PyTorch backend",
        "INFO:     Application startup complete.",
    ]
    assert diagnose(Exit(code=3), patterns, "\n".join(healthy), "").diagnosis.startswith(
        "the server ended with exit code 3"
    )
