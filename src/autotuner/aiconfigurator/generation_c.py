"""Generation C, releases 0.4 to 0.9: a nested search space, ``config.worker_config.tp_list``."""

from __future__ import annotations

from autotuner.aiconfigurator.content import Content, Role, Server
from autotuner.aiconfigurator.mapping import FileMapping
from autotuner.aiconfigurator.servers import SHORT, listed, model_of, roles

WORKERS: dict[Role, str] = {
    "agg": "worker_config",
    "prefill": "prefill_worker_config",
    "decode": "decode_worker_config",
}

MARKS = frozenset({"mode", "config", "profiles", *WORKERS.values(), "replica_config", "advanced_tuning_config"})
"""Keys of an experiment that only this generation has."""

KEPT = (
    "mode", "profiles", "backend_version", "decode_system_name", "decode_backend_name", "nextn", "nextn_accept_rates",
    "database_mode", "enable_wideep", "enable_eplb", "moe_backend", "attention_backend", "is_moe",
)  # fmt: skip


def read(file: FileMapping, experiment: str | None) -> Content:
    """What one experiment says. DocumentError."""
    nested = file.block("config") if file.given("config") else file
    total = file.size("total_gpus")
    asked = roles(file)
    remarks: list[str] = []
    servers = tuple(_server(nested.block(WORKERS[role]), role, total, remarks) for role in asked)
    if file.given("profiles"):
        remarks.append("profiles stand for precisions that only aiconfigurator knows; they are left to the checkpoint")
    unread = nested.block("replica_config"), nested.block("advanced_tuning_config")
    kept = [*file.ignore(KEPT), *(key for block in unread for key in block.rest())]
    targets = {name: file.positive(name) for name in ("ttft", "tpot", "request_latency")}
    model = model_of(file, "model_path", "model_name")
    return Content(
        generation="C",
        raw=file.raw(),
        model=model,
        servers=servers,
        experiment=experiment,
        backend=file.text("backend_name"),
        system=file.text("system_name"),
        total_gpus=total,
        isl=file.tokens("isl"),
        osl=file.tokens("osl"),
        prefix=file.tokens("prefix", low=0),
        targets={name: value for name, value in targets.items() if value is not None},
        chunked_prefill=file.flag("enable_chunked_prefill") or None,
        kept=tuple(kept),
        unknown=tuple(key for key in file.rest() if key not in kept),
        remarks=tuple(remarks),
    )


def _server(worker: FileMapping, role: Role, total: int | None, remarks: list[str]) -> Server:
    keys = {size: f"{size}_list" for size in SHORT}
    server, remark = listed(worker, role, keys, total_gpus=total, gpus="num_gpu_per_worker")
    remarks += [remark] if remark else []
    return server
