"""The block ``benchmark``: what load is sent and how long."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from autotuner.config.block import Block
from autotuner.config.problems import refuse
from autotuner.config.scenario import DATASET, parse_traffic, split_scenarios
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.workload import Api, Arrival

T = TypeVar("T")

LoadPer = Literal["server", "gpu", "node"]

PROBE_WINDOW_S = 4.0
"""Window of a probe for a load, seconds, unless the document says otherwise: many of them tell of one load."""


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


class LoadSearchBlock(Block):
    """The search for the highest load that meets the SLO (profile search)."""

    lowest: float | None = Field(
        None,
        gt=0,
        description="lowest load that is tried, requests in flight or requests/s; default: 1 in flight, 0.1 requests/s",
        examples=[1],
    )
    highest: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="highest load that is tried, requests in flight or requests/s; default: 256 in flight, 1000 "
        "requests/s",
        examples=[64],
    )
    start: float | None = Field(
        None,
        gt=0,
        description="load that is tried first, requests in flight or requests/s; default: 4 in flight, 1 request/s; "
        "later configurations begin where an earlier one ended",
        examples=[8],
    )
    probes: int = Field(25, ge=3, le=200, description="number of measurements in one server start, at most")
    confirm_probes: int = Field(
        12, ge=3, le=200, description="number of measurements in one start of the confirmation, at most"
    )
    tolerance: float = Field(
        0.05, gt=0, le=0.5, description="the search is over when it knows the load to this share of itself"
    )


class DatasetBlock(Block):
    """A file of requests, for the scenario ``dataset``."""

    path: str = Field(
        min_length=1,
        description="file that ends with .jsonl or .csv and has prompt, output_tokens and, to be replayed, timestamp "
        "(seconds, or ISO 8601)",
        examples=["requests.jsonl"],
    )
    replay_speed: Rates = Field(
        (),
        description="requests are sent at their timestamps, so many times as fast, one load point each",
    )


def _with_a_path(given: object) -> object:
    return {"path": given} if isinstance(given, str) else given


class Benchmark(Block):
    """The load and the length of its measurements."""

    later: ClassVar[frozenset[str]] = frozenset({"model_tokenizer"})
    other_keys: ClassVar[frozenset[str]] = frozenset({"benchmark_engine"})

    engine: str = Field(
        "builtin", min_length=1, description="benchmark client that produces the load (also: benchmark_engine)"
    )
    task: Literal["text-to-text"] = Field("text-to-text", description="kind of requests")
    model_name: str | None = Field(
        None, min_length=1, description="model name put into requests; default: the served name"
    )
    api: Api | None = Field(
        None, description="interface of the server that is used; default: completions, whose prompts may be token ids"
    )
    profile: Literal["levels", "synchronous", "throughput", "sweep", "search"] = Field(
        "levels",
        description="load points of each scenario: levels are those given; synchronous: one request after the other; "
        "throughput: as many as the server takes; sweep: both of these, then 10 request rates evenly between the two; "
        "search: the highest load that meets the SLO is looked for",
    )
    max_concurrency: int | None = Field(
        None,
        ge=2,
        le=100_000,
        description="requests in flight that count as many as the server takes (throughput, sweep); default: 256",
        examples=[64],
    )
    load_search: LoadSearchBlock | None = Field(
        None, description="where and how thoroughly the profile search looks", examples=[{"highest": 64}]
    )
    traffic_scenarios: Scenarios = Field(
        ("D(100,100)",),
        description="lengths of prompts and answers, tokens: D(in,out), N(mean,sd)/(mean,sd), U(min,max)/(min,max), "
        "P(prefix,suffix)/out with a shared prefix, dataset, x3 behind one for three turns of a conversation, or a "
        "mixture such as 0.7*D(64,64)+0.3*D(600,16); default: dataset when there is one, else D(100,100)",
        examples=[["D(100,100)"], "D(1,2),D(3,4)", ["0.7*D(64,64)+0.3*D(600,16)"], "P(1000,50)/100", "D(200,100)x3"],
    )
    dataset: Annotated[
        DatasetBlock | None, BeforeValidator(_with_a_path, json_schema_input_type=str | DatasetBlock | None)
    ] = Field(
        None,
        description="file of requests for the scenario dataset; its path alone will do",
        examples=["requests.jsonl", {"path": "requests.csv", "replay_speed": [1.0, 2.0]}],
    )
    num_concurrency: Concurrencies = Field(
        (1, 4),
        description="requests in flight, one load point each (closed loop); empty when request_rates is given",
        examples=[[1, 4, 16], 8],
    )
    request_rates: Rates = Field(
        (), description="requests per second, one load point each (open loop)", examples=[[0.5, 2.0]]
    )
    load_per: LoadPer | None = Field(
        None,
        description="what num_concurrency, request_rates, replay_speed and the limits of a search are given for: the "
        "server, each of its GPUs, or the node, whose load the servers that fill it share; default: gpu when "
        "configurations differ in their number of GPUs, else server",
    )
    arrival: Arrival | None = Field(
        None,
        description="when requests start; default: closed with num_concurrency, poisson with request_rates; of a "
        "search: closed, with another one it looks for a request rate",
    )
    burstiness: float | None = Field(
        None,
        gt=0,
        le=1e4,
        description="gamma arrivals: a number, 1 as in poisson, less for more bursts, more for even arrivals; the "
        "gaps deviate by 1 / √burstiness of their mean; default: 1",
        examples=[0.5],
    )
    max_time_per_iteration: float = Field(
        20.0, gt=0, description="length of the measuring window of one load point, seconds; of a search: 4"
    )
    max_window: float | None = Field(
        None,
        gt=0,
        description="longest window, to which it grows until min_requests are done, seconds; "
        "default: 120, of a search 30, or the window if that is longer",
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
        dataset = given.get("dataset")
        if dataset is not None and given.get("traffic_scenarios") is None:
            given["traffic_scenarios"] = (DATASET,)
        replayed = isinstance(dataset, dict) and dataset.get("replay_speed")
        other_load = given.get("request_rates") or replayed or given.get("profile", "levels") != "levels"
        if given.get("profile") == "search" and given.get("max_time_per_iteration") is None:
            given["max_time_per_iteration"] = PROBE_WINDOW_S
        if other_load and given.get("num_concurrency") is None:
            given["num_concurrency"] = ()
        return given
