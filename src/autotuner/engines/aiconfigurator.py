"""How aiconfigurator's generator starts each engine: its names, layouts and limits.

Its figures for tp and dp are those of the attention; what it writes into a launch line differs by engine. The rules are
those of its release 0.12, compared with the launch lines that it wrote (docs/guide/aiconfigurator.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autotuner.aiconfigurator.content import Placement
from autotuner.aiconfigurator.launching import Launching, Limits, Load
from autotuner.contracts.engine import Engine, PlanContext
from autotuner.contracts.neutral import neutral_key
from autotuner.contracts.values import Scalar
from autotuner.planning.neutral import Neutral

Fields = Mapping[str, Scalar]

USUAL_REQUESTS = 512
"""Requests at once that it allows a server, unless twice the predicted batch is more."""

SPARE_TOKENS = 1500
"""Tokens that it adds to prompt and answer."""


@dataclass(frozen=True)
class EngineLaunching:
    """See ``Launching``."""

    engine: str
    backend: str
    image: str
    """Word of its container images."""
    write: Callable[[Placement, bool], dict[str, int | bool]]
    read: Callable[[Fields], tuple[Placement, bool]]
    limit: Callable[[Load], Limits]
    shared: Callable[[Placement, bool], int] = lambda placement, experts: 1
    """Data-parallel ranks that share the limit of requests."""

    def fields(self, placement: Placement, *, experts: bool) -> Mapping[str, int | bool]:
        """See the protocol."""
        return self.write(placement, experts)

    def placement(self, fields: Mapping[str, Scalar]) -> tuple[Placement, bool]:
        """See the protocol."""
        return self.read(fields)

    def limits(self, load: Load) -> Limits:
        """See the protocol."""
        return self.limit(load)

    def batch(self, requests: int, placement: Placement, *, experts: bool) -> int:
        """See the protocol."""
        return max(1, requests // self.shared(placement, experts))


def _size(fields: Fields, name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 1


def _cp(placement: Placement) -> dict[str, int | bool]:
    return {"cp": placement.cp} if placement.cp > 1 else {}


def _divided(whole: int, part: int, what: str) -> int:
    if whole % part:
        raise ValueError(f"{part} does not divide {whole}, {what}")
    return whole // part


# ---- vLLM: experts are spread over all of tp × dp, or each is shared by all of them


def _vllm_fields(placement: Placement, experts: bool) -> dict[str, int | bool]:
    found: dict[str, int | bool] = {"tp": placement.tp, "pp": placement.pp, "dp": placement.dp, **_cp(placement)}
    if experts:
        if placement.moe_tp > 1 and placement.moe_ep > 1:
            raise ValueError("vLLM cannot share each expert among GPUs and spread the experts over others")
        found["ep"] = placement.moe_ep
    return found


def _vllm_placement(fields: Fields) -> tuple[Placement, bool]:
    tp, dp = _size(fields, "tp"), _size(fields, "dp")
    experts = fields.get("ep") is not None or fields.get("enable_expert_parallel") is not None
    spread = tp * dp if fields.get("enable_expert_parallel") is True else _size(fields, "ep")
    shared = _divided(tp * dp, spread, "the GPUs that share the experts") if experts else 1
    sizes = Placement(tp, _size(fields, "pp"), dp, _size(fields, "cp"), shared, spread if experts else 1)
    return sizes, experts


def _vllm_limits(load: Load) -> Limits:
    most = max(USUAL_REQUESTS, 2 * (load.batch or 0))
    context = budget = None
    match load.role:
        case "agg" if load.isl is not None and load.osl is not None:
            context = load.isl + load.osl + SPARE_TOKENS
            budget = most + load.isl + SPARE_TOKENS
        case "prefill" if load.isl is not None:
            budget = load.isl + SPARE_TOKENS
        case "decode":
            budget = most
        case _:
            pass
    return Limits(load.batch, budget, context)


# ---- SGLang: attention groups and experts share the GPUs of tp


def _sglang_fields(placement: Placement, experts: bool) -> dict[str, int | bool]:
    whole = placement.tp * placement.cp
    if not experts:
        # Copies of a dense model have GPUs of their own.
        found: dict[str, int | bool] = {"tp": whole, "pp": placement.pp, "dp": placement.dp, **_cp(placement)}
        return found | ({"strict_dp": False} if whole % placement.dp else {})
    found = {"tp": whole * placement.dp, "pp": placement.pp, "dp": placement.dp, "ep": placement.moe_ep}
    return {**found, **_cp(placement), **({"enable_dp_attention": True} if placement.dp > 1 else {})}


def _sglang_placement(fields: Fields) -> tuple[Placement, bool]:
    whole, dp, cp, ep = (_size(fields, name) for name in ("tp", "dp", "cp", "ep"))
    inside = cp * (dp if fields.get("enable_dp_attention") is True else 1)
    tp = _divided(whole, inside, "the tp group that the attention shares")
    experts = fields.get("ep") is not None
    shared = _divided(tp * dp, ep, "the GPUs that share the experts") if experts else 1
    return Placement(tp, _size(fields, "pp"), dp, cp, shared, ep), experts


def _sglang_shared(placement: Placement, experts: bool) -> int:
    """It limits the requests of all attention groups together; copies of a dense model have a limit each."""
    return placement.dp if experts else 1


def _sglang_limits(load: Load) -> Limits:
    batch = None if load.batch is None else load.batch * _sglang_shared(load.placement, load.experts)
    if load.isl is None or load.role == "decode":
        return Limits(batch)
    parameters: dict[str, Scalar] = {"max_prefill_tokens": load.isl + SPARE_TOKENS}
    if load.role == "agg":
        parameters["enable_mixed_chunk"] = True
    return Limits(batch, parameters=parameters)


# ---- TensorRT-LLM: attention is either shared by tp or data parallel over all of it


def _trtllm_fields(placement: Placement, experts: bool) -> dict[str, int | bool]:
    if placement.dp > 1 and (placement.tp > 1 or not experts):
        raise ValueError(
            "TensorRT-LLM has data parallel attention over all GPUs of tp or none of it, and no other data parallelism"
        )
    found: dict[str, int | bool] = {"tp": placement.tp * placement.dp, "pp": placement.pp, **_cp(placement)}
    if experts:
        found |= {"ep": placement.moe_ep, "moe_tp": placement.moe_tp, "enable_dp_attention": placement.dp > 1}
    return found


def _trtllm_placement(fields: Fields) -> tuple[Placement, bool]:
    whole = _size(fields, "tp")
    alone = fields.get("enable_dp_attention") is True
    tp, dp = (1, whole) if alone else (whole, 1)
    experts = any(fields.get(name) is not None for name in ("ep", "moe_tp")) or alone
    ep = _size(fields, "ep")
    shared = _divided(whole, ep, "the GPUs that share the experts") if experts else 1
    return Placement(tp, _size(fields, "pp"), dp, _size(fields, "cp"), shared, ep), experts


def _trtllm_limits(load: Load) -> Limits:
    if load.batch is None or load.isl is None or load.role == "decode":
        return Limits(load.batch)
    # A multiple of 32.
    return Limits(load.batch, -(-(load.batch + load.isl + 500) // 32) * 32)


LAUNCHINGS: tuple[EngineLaunching, ...] = (
    EngineLaunching("vllm", "vllm", "vllm-runtime", _vllm_fields, _vllm_placement, _vllm_limits),
    EngineLaunching(
        "sglang", "sglang", "sglang-runtime", _sglang_fields, _sglang_placement, _sglang_limits, _sglang_shared
    ),
    EngineLaunching("tensorrt-llm", "trtllm", "tensorrtllm-runtime", _trtllm_fields, _trtllm_placement, _trtllm_limits),
)

USUAL = LAUNCHINGS[0]
"""Where a file names no engine."""


def launching_of(engine: str) -> Launching | None:
    """How it starts an engine of ours; None for one that it does not know."""
    return next((one for one in LAUNCHINGS if one.engine == engine), None)


def launching_named(backend: str | None, image: str | None) -> Launching | None:
    """The one that a file means by its name, else by its container image; None where neither tells."""
    for one in LAUNCHINGS:
        if backend is not None and backend.lower() in (one.backend, one.engine):
            return one
    for one in LAUNCHINGS:
        if backend is None and image is not None and one.image in image:
            return one
    return None


def possible(engine: Engine, context: PlanContext, group: str, field: str, value: Scalar) -> str | None:
    """Why an engine can never do what a neutral field asks; None when it can, or when it depends on other things."""
    neutral = Neutral(engine.neutral, engine.catalogue)
    key = neutral_key(group, field)
    known = neutral.known(key)
    if known is None:
        return f"{engine.name} has no setting for {field}"
    return neutral.refusal(key, value, context)
