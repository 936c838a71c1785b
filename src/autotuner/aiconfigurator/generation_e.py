"""Generation E, today: ``generator_config.yaml``, the configuration that was chosen."""

from __future__ import annotations

from dataclasses import replace

from autotuner.aiconfigurator.content import Content, Role, Server
from autotuner.aiconfigurator.mapping import FileMapping
from autotuner.aiconfigurator.servers import concrete, model_of, per_server, roles

SIZES = {
    "tp": "tensor_parallel_size",
    "pp": "pipeline_parallel_size",
    "dp": "data_parallel_size",
    "cp": "context_parallel_size",
    "moe_tp": "moe_tensor_parallel_size",
    "moe_ep": "moe_expert_parallel_size",
}

BLOCKS = frozenset(
    {
        "ServiceConfig", "K8sConfig", "DynConfig", "WorkerConfig", "SlaConfig", "BenchConfig", "SflowConfig",
        "NodeConfig", "params", "ModelConfig", "backend",
    }
)  # fmt: skip
"""Keys at the top. What is in these blocks and not used here is about other programs (Kubernetes, the benchmark)."""


def read(file: FileMapping) -> Content:
    """What the file says. DocumentError."""
    workers, sla, model = file.block("WorkerConfig"), file.block("SlaConfig"), file.block("ModelConfig")
    cluster = file.block("K8sConfig")
    servers = tuple(
        _server(file.block("params").needed(role), role, workers) for role in roles(file.block("DynConfig"), "mode")
    )
    figures = {name: sla.positive(name) for name in ("ttft", "tpot")}
    predicted = {name: value for name, value in figures.items() if value is not None}
    # Both are read, so that neither counts as left over.
    systems = [file.block("NodeConfig").text("system_name"), cluster.text("system_name")]
    content = Content(
        generation="E",
        raw=file.raw(),
        model=model_of(file.block("ServiceConfig"), "model_path", "served_model_path", "model_name"),
        servers=servers,
        backend=file.text("backend"),
        image=cluster.text("k8s_image"),
        system=next((name for name in systems if name is not None), None),
        total_gpus=sum(_gpus(server, workers) for server in servers),
        experts=model.flag("is_moe"),
        isl=sla.tokens("isl"),
        osl=sla.tokens("osl"),
        prefix=model.tokens("prefix", low=0),
        predictions=sla.raw() if predicted else None,
        predicted=predicted,
    )
    left = file.rest()
    return replace(
        content,
        kept=tuple(key for key in left if key.partition(".")[0] in BLOCKS),
        unknown=tuple(key for key in left if key.partition(".")[0] not in BLOCKS),
    )


def _gpus(server: Server, workers: FileMapping) -> int:
    return (server.count or 1) * (workers.size(f"{server.role}_gpus_per_worker") or per_server(server))


def _server(params: FileMapping, role: Role, workers: FileMapping) -> Server:
    count = workers.whole(f"{role}_workers", low=0) or None
    made = concrete(params, role, keys=SIZES, batch=params.whole("max_batch_size"), count=count)
    params.ignore(("gpus_per_worker",))
    written = params.text("kv_cache_dtype")
    if written is None or "kvcache" in made.precision:
        return made
    return replace(
        made,
        precision={**made.precision, "kvcache": written},
        places={**made.places, "kvcache": params.place("kv_cache_dtype")},
    )
