"""Generation B, releases 0.1 to 0.4: the generator's configuration, with ``agg_worker_config``."""

from __future__ import annotations

from autotuner.aiconfigurator.content import Content, Role, Server
from autotuner.aiconfigurator.mapping import FileMapping
from autotuner.aiconfigurator.servers import concrete, model_of, per_server, roles

WORKERS: dict[Role, str] = {
    "agg": "agg_worker_config",
    "prefill": "disagg_prefill_worker_config",
    "decode": "disagg_decode_worker_config",
}


def read(file: FileMapping) -> Content:
    """What the file says. DocumentError."""
    asked = roles(file) if file.given("serving_mode") else _present(file)
    servers = tuple(_server(file.needed(WORKERS[role]), role) for role in asked)
    figures = file.block("exp_config")
    ttft = figures.positive("ttft")
    per_user, per_gpu = figures.positive("tps_per_user"), figures.positive("tps_per_gpu")
    gpus = per_server(servers[0])
    predicted = {
        "ttft": ttft,
        "tpot": None if per_user is None else 1000 / per_user,
        "throughput": None if per_gpu is None else per_gpu * gpus,
        "throughput_per_gpu": per_gpu,
    }
    unread = [f"{WORKERS[role]}.memory" for role in asked if file.block(WORKERS[role]).ignore(("memory",))]
    kept = (*file.ignore(("nextn", "concurrency_per_replica", "backend_version", "nextn_accept_rates")), *unread)
    return Content(
        generation="B",
        raw=file.raw(),
        model=model_of(file, "model_name", "model_path"),
        servers=servers,
        backend=file.text("backend_name", "backend"),
        system=file.text("system_name"),
        total_gpus=file.size("total_gpus") or sum((server.count or 1) * per_server(server) for server in servers),
        experts=file.flag("is_moe"),
        isl=file.tokens("isl"),
        osl=file.tokens("osl"),
        prefix=file.tokens("prefix", low=0),
        predictions=figures.raw() or None,
        predicted={name: value for name, value in predicted.items() if value is not None},
        kept=kept,
        unknown=tuple(key for key in file.rest() if not key.startswith("exp_config.")),
    )


def _present(file: FileMapping) -> tuple[Role, ...]:
    return ("agg",) if file.given(WORKERS["agg"]) else ("prefill", "decode")


def _server(worker: FileMapping, role: Role) -> Server:
    return concrete(worker, role, batch=worker.whole("bs"), count=worker.size("workers"))
