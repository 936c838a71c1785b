"""What TensorRT-LLM writes when it fails. The first pattern that matches decides, so causes come first.

The words are those of its public sources: commands/serve.py (a click program), executor/proxy.py, mapping.py,
_torch/pyexecutor/py_executor_creator.py, _torch/models/modeling_auto.py.
"""

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
        pattern=r"Error: (No such option|Invalid value for|Missing argument|Option '.*' requires)|Usage: trtllm-serve",
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
        pattern=r"Executor creation failed due to insufficient GPU memory|CUDA out of memory|"
        r"torch\.(cuda\.)?OutOfMemoryError|CUDA (runtime )?error.*: out of memory|cudaErrorMemoryAllocation",
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
        pattern=r"No GPU devices found on the node",
        kind=FailureClass.UNSUPPORTED,
        diagnosis="the host has no GPU that the engine can see",
        hint="check nvidia-smi, and CUDA_VISIBLE_DEVICES in runtime.env",
    ),
    LogPattern(
        pattern=r"Unknown architecture for AutoModelForCausalLM|\bNotImplementedError(: |$)",
        kind=FailureClass.UNSUPPORTED,
        diagnosis="this version of the engine, or this hardware, cannot do it",
        hint="the line in the log says what; leave the combination out of the search",
    ),
    LogPattern(
        pattern=r"(^|\[E\] )(ValueError: |AssertionError(: |$))",
        kind=FailureClass.BAD_ARGUMENT,
        diagnosis="the engine refused this combination of parameters",
        hint="the line in the log says which; leave the combination out of the search",
    ),
    LogPattern(
        pattern=r"Executor worker (initialization error|returned error)",
        kind=FailureClass.CRASH,
        diagnosis="a worker of the engine died",
        hint="the lines in the log above it say why; leave the combination out of the search",
    ),
)
