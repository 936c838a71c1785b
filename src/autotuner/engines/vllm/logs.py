"""What vLLM writes when it fails. The first pattern that matches decides, so causes come first."""

from __future__ import annotations

from autotuner.contracts.attempt import FailureClass, LogPattern

_LESS_MEMORY = "lower max_num_seqs, max_model_len or gpu_memory_utilization, or spread the model over more GPUs (tp)"

LOG_PATTERNS = (
    LogPattern(
        pattern=r"[Aa]ddress already in use|EADDRINUSE",
        kind=FailureClass.PORT,
        diagnosis="one of the server's ports was taken by another process",
        hint="nothing to do: the attempt is repeated on another port",
    ),
    LogPattern(
        pattern=r"api_server\.py: error: |vllm serve: error: |error: unrecognized arguments|error: argument ",
        kind=FailureClass.BAD_ARGUMENT,
        diagnosis="the engine refused one of its arguments",
        hint="the line in the log names the argument; correct or leave out that parameter",
    ),
    LogPattern(
        pattern=r"Not enough allowed NUMA nodes to bind threads",
        kind=FailureClass.BAD_ARGUMENT,
        diagnosis="on a CPU each worker takes a NUMA node, and there are not as many",
        hint="name each worker's cores in runtime.env, such as VLLM_CPU_OMP_THREADS_BIND: 0|1, or use fewer workers",
        certain=True,
    ),
    LogPattern(
        pattern=r"No common block size for",
        kind=FailureClass.BAD_ARGUMENT,
        diagnosis="the attention back end does not take this block size",
        hint="choose another block_size, or leave it to the engine",
        certain=True,
    ),
    LogPattern(
        pattern=r"No available memory for the cache blocks|KV cache is needed, which is larger than the available",
        kind=FailureClass.OOM,
        diagnosis="the weights leave no room for the KV cache of one request",
        hint=f"raise gpu_memory_utilization (on a CPU: VLLM_CPU_KVCACHE_SPACE), or {_LESS_MEMORY}",
        certain=True,
    ),
    LogPattern(
        pattern=r"CUDA out of memory|torch\.(cuda\.)?OutOfMemoryError|HIP out of memory",
        kind=FailureClass.OOM,
        diagnosis="the GPU's memory did not suffice",
        hint=_LESS_MEMORY,
    ),
    LogPattern(
        pattern=r"Free memory on device .* is less than desired GPU memory utilization",
        kind=FailureClass.OOM,
        diagnosis="another process holds memory of the GPU",
        hint="end it, or lower gpu_memory_utilization",
    ),
    LogPattern(
        pattern=r"is not a local folder and is not a valid model identifier|RepositoryNotFoundError|"
        r"does not appear to have a file named config\.json",
        kind=FailureClass.MISSING_MODEL,
        diagnosis="there is no such model",
        hint="check model.id_or_path; a private model needs HF_TOKEN",
    ),
    LogPattern(
        pattern=r"LocalEntryNotFoundError|We couldn't connect to|Max retries exceeded with url",
        kind=FailureClass.DOWNLOAD,
        diagnosis="the model could not be downloaded",
        hint="check the network and the proxies, or name a folder on this host",
    ),
    LogPattern(
        pattern=r"Model architectures .* are not supported|is not supported for quantization|"
        r"\bNotImplementedError(: |$)|requires .*compute capability",
        kind=FailureClass.UNSUPPORTED,
        diagnosis="this version of the engine, or this hardware, cannot do it",
        hint="the line in the log says what; leave the combination out of the search",
    ),
    LogPattern(
        pattern=r"No module named '?vllm",
        kind=FailureClass.UNSUPPORTED,
        diagnosis="the interpreter that should run the engine has no vLLM",
        hint="point runtime.python to the environment that has it",
    ),
    LogPattern(
        pattern=r"ValidationError: \d+ validation error|^ValueError: |\] ValueError: ",
        kind=FailureClass.BAD_ARGUMENT,
        diagnosis="the engine refused this combination of parameters",
        hint="the line in the log says which; leave the combination out of the search",
    ),
    LogPattern(
        pattern=r"EngineDeadError|EngineCore encountered (a fatal|an) (error|issue)|Engine core initialization failed",
        kind=FailureClass.CRASH,
        diagnosis="the engine's core died",
        hint="this combination of parameters is one that the engine does not survive; leave it out",
    ),
)
