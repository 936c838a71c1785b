"""The block ``benchmark``: what load is sent and how long."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from autotuner.config.block import Block
from autotuner.config.problems import refuse
from autotuner.config.scenario import parse_traffic, split_scenarios
from autotuner.contracts.errors import AutotunerError

T = TypeVar("T")


def _listed(given: object) -> object:
    return tuple(given) if isinstance(given, list | tuple) else (given,)


def _once(values: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def _canonical(given: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return _once(tuple(parse_traffic(text).text for text in split_scenarios(given)))
    except AutotunerError as error:
        raise refuse(f"{error.what}, {error.why}", error.remedy, error.code) from None


Scenarios = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    AfterValidator(_canonical),
    BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...]),
]
Concurrencies = Annotated[
    tuple[Annotated[int, Field(ge=1, le=100_000)], ...],
    AfterValidator(_once),
    BeforeValidator(_listed, json_schema_input_type=int | tuple[int, ...]),
]
Rates = Annotated[
    tuple[Annotated[float, Field(gt=0, le=1e6)], ...],
    AfterValidator(_once),
    BeforeValidator(_listed, json_schema_input_type=float | tuple[float, ...]),
]


class Benchmark(Block):
    """The load and the length of its measurements."""

    later: ClassVar[frozenset[str]] = frozenset({"profile", "model_tokenizer", "load_per", "dataset"})
    other_keys: ClassVar[frozenset[str]] = frozenset({"benchmark_engine"})

    engine: str = Field(
        "builtin", min_length=1, description="benchmark client that produces the load (also: benchmark_engine)"
    )
    task: Literal["text-to-text"] = Field("text-to-text", description="kind of requests")
    model_name: str | None = Field(
        None, min_length=1, description="model name put into requests; default: the served name"
    )
    traffic_scenarios: Scenarios = Field(
        ("D(100,100)",),
        description="lengths of prompts and answers, tokens: D(in,out), N(mean,sd)/(mean,sd), U(min,max)/(min,max), "
        "or a mixture such as 0.7*D(64,64)+0.3*D(600,16)",
        examples=[["D(100,100)"], "D(1,2),D(3,4)", ["0.7*D(64,64)+0.3*D(600,16)"]],
    )
    num_concurrency: Concurrencies = Field(
        (1, 4),
        description="requests in flight, one load point each (closed loop); empty when request_rates is given",
        examples=[[1, 4, 16], 8],
    )
    request_rates: Rates = Field(
        (), description="requests per second, one load point each (open loop)", examples=[[0.5, 2.0]]
    )
    arrival: Literal["closed", "constant", "poisson"] | None = Field(
        None,
        description="when requests start; default: closed with num_concurrency, poisson with request_rates",
    )
    max_time_per_iteration: float = Field(
        20.0, gt=0, description="length of the measuring window of one load point, seconds"
    )
    max_window: float | None = Field(
        None,
        gt=0,
        description="longest window, to which it grows until min_requests are done, seconds; "
        "default: 120 or the window if that is longer",
        examples=[120.0],
    )
    max_requests_per_iteration: int | None = Field(
        None, ge=1, description="the window ends when so many requests were started in it", examples=[200]
    )
    min_requests: int = Field(0, ge=0, description="requests of the window that must be done before it may end")
    max_errors: int | None = Field(
        None, ge=1, description="failed requests after which a measurement stops", examples=[10]
    )
    max_error_rate: float | None = Field(
        None, gt=0, le=1, description="share of failed requests above which a measurement stops, 0 to 1", examples=[0.1]
    )
    warmup_requests: int = Field(8, ge=0, description="requests at the measured load before the window opens")
    repeats: int = Field(1, ge=1, description="number of measurements of each load point per server start")
    request_timeout: float = Field(60.0, gt=0, description="a request that takes longer is an error, seconds")
    client_processes: int | None = Field(
        None,
        ge=1,
        le=64,
        description="processes of the builtin client that share each load; default: one, more for above 512 streams or "
        "40 000 tokens/s, if it has the cores",
        examples=[2],
    )
    additional_params: dict[str, JsonValue] = Field(
        default_factory=dict, description="fields added to every request", examples=[{"temperature": 0.0}]
    )

    @model_validator(mode="before")
    @classmethod
    def _one_spelling(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        given = dict(given)
        if "benchmark_engine" in given:
            alias = given.pop("benchmark_engine")
            if given.get("engine", alias) != alias:
                raise refuse("engine and benchmark_engine differ and mean the same", "Keep one of them")
            given["engine"] = alias
        if given.get("request_rates") and given.get("num_concurrency") is None:
            given["num_concurrency"] = ()
        return given
