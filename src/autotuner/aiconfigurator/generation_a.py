"""Generation A, "2025": one configuration with ``worker_config`` and ``predicted_metrics``."""

from __future__ import annotations

from autotuner.aiconfigurator.content import Content
from autotuner.aiconfigurator.mapping import FileMapping
from autotuner.aiconfigurator.servers import concrete, model_of, per_server, roles

WORKERS = {"agg": "worker_config", "prefill": "prefill_worker_config", "decode": "decode_worker_config"}


def read(file: FileMapping) -> Content:
    """What the file says. DocumentError."""
    tuning = file.block("advanced_tuning_config")
    batch = tuning.whole("max_batch_size")
    servers = tuple(concrete(file.needed(WORKERS[role]), role, batch=batch) for role in roles(file))
    metrics = file.block("predicted_metrics")
    figures = {name: metrics.positive(name) for name in ("ttft", "tpot", "throughput", "request_latency")}
    gpus = sum(per_server(server) for server in servers)
    return Content(
        generation="A",
        raw=file.raw(),
        model=model_of(file, "model_name", "model_path"),
        servers=servers,
        backend=file.text("backend_name", "backend"),
        system=file.text("system_name"),
        total_gpus=file.size("total_gpus") or gpus,
        isl=file.tokens("isl"),
        osl=file.tokens("osl"),
        prefix=file.tokens("prefix", low=0),
        predictions=metrics.raw() or None,
        predicted={name: value for name, value in figures.items() if value is not None},
        memory_fraction=tuning.number("mem_fraction_static", high=1.0),
        chunked_prefill=tuning.flag("enable_chunked_prefill"),
        max_prefill_batch=tuning.whole("max_prefill_batch_size"),
        kept=file.ignore(("backend_version",)),
        unknown=tuple(key for key in file.rest() if not key.startswith("predicted_metrics.")),
    )
