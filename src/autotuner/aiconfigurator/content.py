"""What a file of aiconfigurator says, in its own words and units, whatever its generation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from autotuner.config.text import Data

Role = Literal["agg", "prefill", "decode"]
"""What a server does: whole requests, prompts alone, or answers alone."""

Generation = Literal["A", "B", "C", "D", "E", "F"]

GENERATIONS: Mapping[Generation, str] = {
    "A": "a configuration of 2025",
    "B": "a generator's configuration of 0.1 to 0.4",
    "C": "a nested search space of 0.4 to 0.9",
    "D": "a search space",
    "E": "a generator's configuration",
    "F": "a table of results",
}
"""What the file is called in sentences."""

UNSEEN: frozenset[Generation] = frozenset({"B", "C"})
"""Generations of which no file that aiconfigurator itself wrote was at hand: they are read from their description."""

MAX_PLACEMENTS = 20_000
"""Combinations of one search space that are looked at, at most."""


@dataclass(frozen=True)
class Placement:
    """How aiconfigurator spreads a model over the GPUs of one server: tp and dp are those of the attention."""

    tp: int = 1
    pp: int = 1
    dp: int = 1
    cp: int = 1
    moe_tp: int = 1
    moe_ep: int = 1

    @property
    def gpus(self) -> int:
        """GPUs of the server."""
        return self.tp * self.pp * self.dp * self.cp

    def legal(self, *, experts: bool) -> bool:
        """Whether aiconfigurator allows it: of a mixture of experts, tp × dp == moe_tp × moe_ep."""
        wide = self.moe_tp * self.moe_ep
        return self.tp * self.dp == wide if experts else wide == 1


@dataclass(frozen=True)
class Server:
    """One kind of server that a file describes. Each size is a list: of a concrete configuration with one value."""

    role: Role
    tp: tuple[int, ...] = (1,)
    pp: tuple[int, ...] = (1,)
    dp: tuple[int, ...] = (1,)
    cp: tuple[int, ...] = (1,)
    moe_tp: tuple[int, ...] = (1,)
    moe_ep: tuple[int, ...] = (1,)
    gpus: tuple[int, ...] = ()
    """Numbers of GPUs that one server may have; empty: any."""
    precision: Mapping[str, str] = field(default_factory=dict)
    """gemm, moe, kvcache, fmha and comm, as far as they are given."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Key path in the file of what may be reported."""
    batch: int | None = None
    """Requests of one data-parallel rank that are answered at once."""
    count: int | None = None
    """Servers of this kind."""

    @property
    def experts(self) -> bool:
        """Whether the sizes themselves say that the model is a mixture of experts."""
        return max(self.moe_tp) * max(self.moe_ep) > 1

    @property
    def size(self) -> int:
        """Number of combinations."""
        total = 1
        for sizes in (self.tp, self.pp, self.dp, self.cp, self.moe_tp, self.moe_ep):
            total *= len(sizes)
        return total

    def placements(self, *, experts: bool, total_gpus: int | None) -> Iterator[Placement]:
        """The combinations that aiconfigurator allows."""
        for sizes in product(self.tp, self.pp, self.dp, self.cp, self.moe_tp, self.moe_ep):
            one = Placement(*sizes)
            fits = (not self.gpus or one.gpus in self.gpus) and (total_gpus is None or one.gpus <= total_gpus)
            if fits and one.legal(experts=experts):
                yield one


@dataclass(frozen=True)
class Content:
    """What a file (or one of its experiments) says. Times are in ms, throughputs in tokens/s."""

    generation: Generation
    raw: Mapping[str, Data]
    """All that it says, without nulls."""
    model: str
    servers: tuple[Server, ...]
    """One, or those of a disaggregated deployment."""
    experiment: str | None = None
    backend: str | None = None
    """Engine, as aiconfigurator calls it."""
    image: str | None = None
    """Container image, which tells the engine where nothing else does."""
    system: str | None = None
    total_gpus: int | None = None
    experts: bool | None = None
    """Whether the model is a mixture of experts; None: it does not say."""
    isl: int | None = None
    osl: int | None = None
    prefix: int | None = None
    targets: Mapping[str, float] = field(default_factory=dict)
    """Limits: ttft, tpot, request_latency."""
    predictions: Mapping[str, Data] | None = None
    """The predicted figures as the file has them."""
    predicted: Mapping[str, float] = field(default_factory=dict)
    """ttft, tpot, request_latency (ms); throughput and throughput_per_gpu of one server (tokens/s); requests (1/s)."""
    memory_fraction: float | None = None
    max_model_len: int | None = None
    chunked_prefill: bool | None = None
    max_prefill_batch: int | None = None
    unknown: tuple[str, ...] = ()
    """Keys that this generation is not known to have."""
    kept: tuple[str, ...] = ()
    """Known keys that have no counterpart in a task document."""
    remarks: tuple[str, ...] = ()
    """What a reader must know."""

    @property
    def searches(self) -> bool:
        """Whether it is a search space and not one configuration."""
        return self.generation in ("C", "D")

    @property
    def disaggregated(self) -> bool:
        """Whether prompts and answers have servers of their own."""
        return len(self.servers) > 1
