"""What SGLang writes when it fails. The first pattern that matches decides, so causes come first.

The words are those of the sources of SGLang 0.5.23: the pools of srt/mem_cache and srt/model_executor, srt/managers,
srt/entrypoints/engine.py, srt/server_args.py, srt/models/registry.py.
"""

from __future__ import annotations

from autotuner.contracts.attempt import FailureClass, LogPattern

_LESS_MEMORY = "lower mem_fraction_static or max_running_requests, or spread the model over more GPUs (tp)"

LOG_PATTERNS = (
    LogPattern(
        pattern=r"[Aa]ddress already in use|EADDRINUSE|Port is already in use\.|_port \d+ is already in use",
        kind=FailureClass.PORT,
        diagnosis="one of the server's ports was taken by another process",
        hint="nothing to do: the attempt is repeated on another port",
    ),
    LogPattern(
        pattern=r"launch_server\.py: error: |error: unrecognized arguments|error: argument |error: ambiguous option",
        kind=FailureClass.BAD_ARGUMENT,
        diagnosis="the engine refused one of its arguments",
        hint="the line in the log names the argument; correct or leave out that parameter",
    ),
    LogPattern(
        pattern=r"Not enough memory\. Please try to increase --mem-fraction-static",
        kind=FailureClass.OOM,
        diagnosis="the weights leave no room for the KV cache",
        hint="raise mem_fraction_static, or spread the model over more GPUs (tp)",
        certain=True,
    ),
    LogPattern(
        pattern=r"Error: The memory capacity is unbalanced\. Some GPUs may be occupied by other processes",
        kind=FailureClass.OOM,
        diagnosis="another process holds memory of a GPU",
        hint="end it, or leave that GPU out",
    ),
    LogPattern(
        pattern=r"(Prefill|Decode) out of memory\. Try to lower your batch size|alloc_req_slots runs out of memory",
        kind=FailureClass.OOM,
        diagnosis="the KV cache did not suffice while requests were computed",
        hint="lower max_running_requests or chunked_prefill_size, or raise mem_fraction_static",
    ),
    LogPattern(
        pattern=r"CUDA out of memory|torch\.(cuda\.)?OutOfMemoryError|HIP out of memory",
        kind=FailureClass.OOM,
        diagnosis="the GPU's memory did not suffice",
        hint=_LESS_MEMORY,
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
        pattern=r"No module named '?sglang",
        kind=FailureClass.UNSUPPORTED,
        diagnosis="the interpreter that should run the engine has no SGLang",
        hint="point runtime.python to the environment that has it",
    ),
    LogPattern(
        pattern=r"Model architectures .* (are not supported for now|failed to be inspected)|"
        r"\bNotImplementedError(: |$)|requir(es|ing) compute capability",
        kind=FailureClass.UNSUPPORTED,
        diagnosis="this version of the engine, or this hardware, cannot do it",
        hint="the line in the log says what; leave the combination out of the search",
    ),
    LogPattern(
        pattern=r"^AssertionError(: |$)|^ValueError: ",
        kind=FailureClass.BAD_ARGUMENT,
        diagnosis="the engine refused this combination of parameters",
        hint="the line in the log says which; leave the combination out of the search",
    ),
    LogPattern(
        pattern=r"Scheduler hit an exception|Received sigquit from a child process|"
        r"Rank \d+ scheduler died during initialization|Subprocess .* crashed with exit code",
        kind=FailureClass.CRASH,
        diagnosis="the engine's scheduler died",
        hint="this combination of parameters is one that the engine does not survive; leave it out",
    ),
)
