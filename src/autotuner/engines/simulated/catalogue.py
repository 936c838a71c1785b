"""The parameters of the predicted engines: the columns of the tables."""

from __future__ import annotations

from autotuner.contracts.engine import Catalogue, CatalogueParameter
from autotuner.contracts.values import Scalar
from autotuner.engines.simulated.tables import TOOL_VERSION

REPLICAS = "replicas"

_GEMM = ("bfloat16", "fp8", "fp8_block", "fp8_static", "int8_wo", "int4_wo", "nvfp4")
_KV = ("bfloat16", "fp8", "int8")


def _size(name: str, what: str, tuned: tuple[Scalar, ...], *aliases: str) -> CatalogueParameter:
    return CatalogueParameter(
        name=name,
        flag=_flag(name),
        aliases=aliases,
        type="int",
        low=1,
        high=64,
        default=1,
        unit="GPUs",
        help=what,
        ordered=True,
        commonly_tuned=tuned,
    )


def _precision(
    name: str, what: str, choices: tuple[Scalar, ...], tuned: tuple[Scalar, ...], *aliases: str
) -> CatalogueParameter:
    return CatalogueParameter(
        name=name,
        flag=_flag(name),
        aliases=aliases,
        type="choice",
        choices=choices,
        default="bfloat16",
        help=what,
        lossy=True,
        commonly_tuned=tuned,
    )


def _limit(
    name: str, what: str, unit: str, default: int, tuned: tuple[Scalar, ...], *aliases: str
) -> CatalogueParameter:
    return CatalogueParameter(
        name=name,
        flag=_flag(name),
        aliases=aliases,
        type="int",
        low=1,
        default=default,
        unit=unit,
        help=what,
        ordered=True,
        commonly_tuned=tuned,
    )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


CATALOGUE = Catalogue(
    engine="simulated",
    version=TOOL_VERSION,
    parameters=(
        _size("tp", "tensor parallel size of attention", (1, 2, 4, 8), "tensor_parallel_size", "tp_size"),
        _size("pp", "pipeline parallel size", (1, 2), "pipeline_parallel_size", "pp_size"),
        _size("dp", "data parallel size of attention inside one worker (MoE)", (), "data_parallel_size", "dp_size"),
        _size("moe_tp", "tensor parallel size of the experts", (), "moe_tensor_parallel_size"),
        _size("moe_ep", "expert parallel size", (), "ep", "ep_size"),
        _precision(
            "gemm_quant", "precision of weights and GEMM", _GEMM, ("bfloat16", "fp8", "fp8_block"), "gemm_dtype"
        ),
        _precision(
            "kv_quant", "precision of the KV cache", _KV, ("bfloat16", "fp8"), "kvcache_dtype", "kv_cache_dtype"
        ),
        CatalogueParameter(
            name=REPLICAS,
            flag=_flag(REPLICAS),
            type="int",
            low=1,
            high=64,
            unit="servers",
            help="identical servers that share the load; when not given as many as fill the node of the table",
            ordered=True,
        ),
        _limit(
            "max_num_batched_tokens",
            "prefill token budget per step",
            "tokens",
            8192,
            (2048, 8192, 16384),
            "chunked_prefill_size",
            "max_num_tokens",
        ),
        _limit(
            "max_num_seqs",
            "requests at once, per rank and pipeline stage",
            "requests",
            256,
            (1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
            "max_running_requests",
            "max_batch_size",
        ),
    ),
)
"""Defaults are those of vLLM for a server: one GPU per worker, 8,192 tokens, 256 sequences."""
