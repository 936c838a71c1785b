"""Generation D, today: a flat search space, ``agg_tp_candidates``. Inputs and ``exp_config.yaml`` have this shape."""

from __future__ import annotations

from dataclasses import replace

from autotuner.aiconfigurator.content import Content, Role, Server
from autotuner.aiconfigurator.mapping import FileMapping
from autotuner.aiconfigurator.servers import SHORT, listed, model_of, roles

OF_SERVERS = (
    "model_path", "system_name", "backend_name", "backend_version", "enable_wideep", "enable_chunked_prefill",
    "enable_eplb", "gemm_quant_mode", "moe_quant_mode", "kvcache_quant_mode", "fmha_quant_mode", "comm_quant_mode",
    *(f"{name}_candidates" for name in ("num_gpu", *SHORT)), "max_batch_size", "latency_correction", "max_workers",
    "batch_size_list",
)  # fmt: skip
"""Fields that prefill_ and decode_ stand in front of."""

OTHERS = (
    "image_height", "image_width", "num_images_per_request", "enable_encoder_dp", "pareto_sweep", "database_mode",
    "transfer_policy", "engine_step_backend", "forward_model", "backend_version", "enable_wideep", "enable_eplb",
    "nextn", "nextn_accepted", "moe_backend", "attention_backend", "wideep_num_slots", "num_gpu_per_replica",
    "max_gpu_per_replica", "max_prefill_workers", "max_decode_workers", "rate_match_prefill_degradation",
    "rate_match_decode_degradation", "rate_match_encoder_degradation", "autoscale_ttft_correction_factor", "enable_epd",
    "encoder_tp_candidates", "encoder_batch_candidates", "max_encoder_workers", "encoder_latency_correction",
    "encoder_system_name", "num_gpu_per_worker",
)  # fmt: skip
"""Known fields without a counterpart."""


def looks_like(keys: frozenset[str]) -> bool:
    """Whether an experiment with these keys is of this generation."""
    named = "model_path" in keys or {"prefill_model_path", "decode_model_path"} <= keys
    return any(key.endswith("_candidates") for key in keys) or ("serving_mode" in keys and named)


def read(file: FileMapping, experiment: str | None) -> Content:
    """What one experiment says. DocumentError."""
    asked = roles(file)
    prefix = "" if asked == ("agg",) else f"{asked[0]}_"
    total = file.size("total_gpus")
    remarks = [] if not prefix else _differing(file)
    servers = tuple(_server(file, role, total, remarks) for role in asked)
    targets = {name: file.positive(name) for name in ("ttft", "tpot", "request_latency")}
    content = Content(
        generation="D",
        raw=file.raw(),
        model=model_of(file, f"{prefix}model_path"),
        servers=servers,
        experiment=experiment,
        backend=file.text(f"{prefix}backend_name"),
        system=file.text(f"{prefix}system_name"),
        total_gpus=total,
        isl=file.tokens("isl"),
        osl=file.tokens("osl"),
        prefix=file.tokens("prefix", low=0),
        targets={name: value for name, value in targets.items() if value is not None},
        memory_fraction=file.number("free_gpu_memory_fraction", high=1.0),
        max_model_len=file.tokens("max_seq_len"),
        # false is what it takes where nobody asks, so it is no wish.
        chunked_prefill=file.flag(f"{prefix}enable_chunked_prefill") or None,
        kept=(*file.ignore(OTHERS), *file.ignore(f"{role}_{key}" for role in asked for key in OF_SERVERS)),
        remarks=tuple(remarks),
    )
    _ignore_other_modes(file, asked)
    return replace(content, unknown=file.rest())


def _differing(file: FileMapping) -> list[str]:
    return [
        f"decode_{key} differs from prefill_{key}; that of the prompts' servers is taken for both"
        for key in ("model_path", "system_name", "backend_name")
        if file.text(f"decode_{key}") not in (None, file.text(f"prefill_{key}"))
    ]


def _server(file: FileMapping, role: Role, total: int | None, remarks: list[str]) -> Server:
    keys = {size: f"{role}_{size}_candidates" for size in SHORT}
    prefix = "" if role == "agg" else f"{role}_"
    server, remark = listed(file, role, keys, total_gpus=total, gpus=f"{role}_num_gpu_candidates", prefix=prefix)
    remarks += [remark] if remark else []
    return server


def _ignore_other_modes(file: FileMapping, asked: tuple[Role, ...]) -> None:
    """A file that aiconfigurator wrote has every field, those of modes that it does not use with their defaults."""
    shared = [key for key in OF_SERVERS if not key.endswith("_candidates")]
    file.ignore(f"{role}_{key}" for role in ("agg", "prefill", "decode") if role not in asked for key in OF_SERVERS)
    if asked != ("agg",):
        file.ignore(shared)
    file.ignore(key for key in file.data if key.startswith("afd_"))
