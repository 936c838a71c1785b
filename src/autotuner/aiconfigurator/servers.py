"""Parts that several generations share: the servers that a file describes, and its serving mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autotuner.aiconfigurator.content import Role, Server
from autotuner.aiconfigurator.mapping import FileMapping
from autotuner.aiconfigurator.vocabulary import PRECISIONS
from autotuner.config.problems import DocumentError, Problem
from autotuner.contracts.errors import ErrorCode

DISAGGREGATED: tuple[Role, ...] = ("prefill", "decode")

SHORT = {"tp": "tp", "pp": "pp", "dp": "dp", "cp": "cp", "moe_tp": "moe_tp", "moe_ep": "moe_ep"}
"""Size → key of the files that use its own name."""

LISTED = {size: f"{size}_list" for size in SHORT}


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
    sizes = {size: mapping.size(key) or 1 for size, key in keys.items()}
    precision, places = precisions(mapping)
    return Server(
        role,
        **{size: (value,) for size, value in sizes.items()},
        precision=precision,
        places=places,
        batch=batch,
        count=count,
    )


def precisions(
    mapping: FileMapping, *, prefix: str = "", suffix: str = "_quant_mode"
) -> tuple[dict[str, str], dict[str, str]]:
    """The precisions that are given, and their places."""
    keys = {name: f"{prefix}{name}{suffix}" for name in PRECISIONS}
    found = {name: mapping.text(key) for name, key in keys.items()}
    given = {name: said for name, said in found.items() if said is not None}
    return given, {name: mapping.place(keys[name]) for name in given}


def candidates(given: Sequence[int], total_gpus: int | None) -> tuple[tuple[int, ...], bool]:
    """The values of a list of tensor parallel sizes, and whether they are ours because the file has none."""
    if given:
        return tuple(given), False
    return tuple(size for size in (1, 2, 4, 8) if size <= (total_gpus or 8)), True


def per_server(server: Server) -> int:
    """GPUs of one server of a concrete configuration."""
    return server.tp[0] * server.pp[0] * server.dp[0] * server.cp[0]


def in_flight(server: Server) -> int | None:
    """Requests in flight that fill the batches of one server of a concrete configuration."""
    return None if server.batch is None else server.batch * server.dp[0] * server.pp[0]
