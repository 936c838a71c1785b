"""Parts that several generations share: the servers that a file describes, and its serving mode."""

from __future__ import annotations

from collections.abc import Mapping

from autotuner.aiconfigurator.content import Role, Server
from autotuner.aiconfigurator.mapping import FileMapping
from autotuner.aiconfigurator.vocabulary import PRECISIONS
from autotuner.config.problems import DocumentError, Problem
from autotuner.contracts.errors import ErrorCode

DISAGGREGATED: tuple[Role, ...] = ("prefill", "decode")

SHORT = {"tp": "tp", "pp": "pp", "dp": "dp", "cp": "cp", "moe_tp": "moe_tp", "moe_ep": "moe_ep"}
"""Size → key of the files that use its own name."""

USUAL_TP = (1, 2, 4, 8)
"""Sizes that are tried where a search space has none."""


def roles(mapping: FileMapping, key: str = "serving_mode") -> tuple[Role, ...]:
    """Roles of the servers. DocumentError for a serving mode other than agg (the default) and disagg."""
    mode = mapping.text(key)
    if mode in (None, "agg"):
        return ("agg",)
    if mode == "disagg":
        return DISAGGREGATED
    raise DocumentError(
        mapping.name,
        [
            Problem(
                ErrorCode.UNSUPPORTED,
                mapping.place(key),
                f"the serving mode is {mode}, which no server here has",
                "Give a file of the mode agg or disagg",
            )
        ],
    )


def model_of(mapping: FileMapping, *keys: str) -> str:
    """The model's name. DocumentError where there is none."""
    name = mapping.text(*keys)
    if name is None or not name.strip():
        raise mapping.error(keys[0], "no model is named", "Give a file that names its model")
    return name.strip()


def concrete(
    mapping: FileMapping,
    role: Role,
    *,
    keys: Mapping[str, str] = SHORT,
    batch: int | None = None,
    count: int | None = None,
) -> Server:
    """A server with one value for each size, 1 where none is given. ``keys``: size → key."""

    def one(size: str) -> tuple[int]:
        return (mapping.size(keys[size]) or 1,)

    short, short_places = precisions(mapping, suffix="")
    long, long_places = precisions(mapping)
    precision, places = {**short, **long}, {**short_places, **long_places}
    return Server(
        role,
        tp=one("tp"),
        pp=one("pp"),
        dp=one("dp"),
        cp=one("cp"),
        moe_tp=one("moe_tp"),
        moe_ep=one("moe_ep"),
        precision=precision,
        places=places,
        batch=batch,
        count=count,
    )


def listed(
    mapping: FileMapping, role: Role, keys: Mapping[str, str], *, total_gpus: int | None, gpus: str, prefix: str = ""
) -> tuple[Server, str | None]:
    """A server with lists of sizes, and a remark where that of tp is ours because the file has none.

    ``keys``: size → key. ``gpus``: key of the numbers of GPUs. ``prefix``: of the keys of precisions.
    """

    def values(size: str) -> tuple[int, ...]:
        return mapping.sizes(keys[size]) or (1,)

    tp, remark = mapping.sizes(keys["tp"]), None
    if not tp:
        tp = tuple(size for size in USUAL_TP if size <= (total_gpus or USUAL_TP[-1]))
        remark = f"{mapping.place(keys['tp'])} is not given, so {', '.join(map(str, tp))} are tried"
    precision, places = precisions(mapping, prefix=prefix)
    server = Server(
        role,
        tp=tp,
        pp=values("pp"),
        dp=values("dp"),
        cp=values("cp"),
        moe_tp=values("moe_tp"),
        moe_ep=values("moe_ep"),
        gpus=mapping.sizes(gpus),
        precision=precision,
        places=places,
    )
    return server, remark


def precisions(
    mapping: FileMapping, *, prefix: str = "", suffix: str = "_quant_mode"
) -> tuple[dict[str, str], dict[str, str]]:
    """The precisions that are given, and their places."""
    keys = {name: f"{prefix}{name}{suffix}" for name in PRECISIONS}
    found = {name: mapping.text(key) for name, key in keys.items()}
    given = {name: said for name, said in found.items() if said is not None}
    return given, {name: mapping.place(keys[name]) for name in given}


def per_server(server: Server) -> int:
    """GPUs of one server of a concrete configuration."""
    return server.tp[0] * server.pp[0] * server.dp[0] * server.cp[0]
