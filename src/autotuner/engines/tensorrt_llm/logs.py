"""What TensorRT-LLM writes when it fails. The first pattern that matches decides."""

from __future__ import annotations

from autotuner.contracts.attempt import FailureClass, LogPattern

LOG_PATTERNS = (
    LogPattern(
        pattern=r"[Aa]ddress already in use|EADDRINUSE",
        kind=FailureClass.PORT,
        diagnosis="one of the server's ports was taken by another process",
        hint="nothing to do: the attempt is repeated on another port",
    ),
    LogPattern(
        pattern=r"Error: No such option|Error: Invalid value for|Usage: trtllm-serve",
        kind=FailureClass.BAD_ARGUMENT,
        diagnosis="the engine refused one of its arguments",
        hint="the line in the log names the argument; correct or leave out that parameter",
    ),
    LogPattern(
        pattern=r"validation errors? for \w*LlmArgs|Extra inputs are not permitted",
        kind=FailureClass.BAD_ARGUMENT,
        diagnosis="the engine refused a key of its configuration file",
        hint="the lines in the log name it; correct or leave out that parameter",
    ),
    LogPattern(
        pattern=r"CUDA out of memory|torch\.(cuda\.)?OutOfMemoryError|cudaErrorMemoryAllocation|"
        r"out of memory.*cudaMalloc",
        kind=FailureClass.OOM,
        diagnosis="the GPU's memory did not suffice",
        hint="lower free_gpu_memory_fraction, max_batch_size or max_num_tokens, or use more GPUs (tp)",
    ),
    LogPattern(
        pattern=r"is not a local folder and is not a valid model identifier|RepositoryNotFoundError",
        kind=FailureClass.MISSING_MODEL,
        diagnosis="there is no such model",
        hint="check model.id_or_path; a private model needs HF_TOKEN",
    ),
    LogPattern(
        pattern=r"No module named '?tensorrt_llm",
        kind=FailureClass.UNSUPPORTED,
        diagnosis="the interpreter that should run the engine has no TensorRT-LLM",
        hint="point runtime.python to the environment that has it",
    ),
    LogPattern(
        pattern=r"Unknown architecture for AutoModelForCausalLM|NotImplementedError",
        kind=FailureClass.UNSUPPORTED,
        diagnosis="this version of the engine, or this hardware, cannot do it",
        hint="the line in the log says what; leave the combination out of the search",
    ),
)
