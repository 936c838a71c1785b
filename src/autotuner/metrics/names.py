"""The aggregated metrics of a start in words, for the reference page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Described:
    """One aggregated metric. ``pNN`` in a name stands for any percentile, ``per_gpu`` for a figure of that name too."""

    name: str
    unit: str
    formula: str
    per_gpu: bool = False


def _latency(name: str, what: str, always: str) -> tuple[Described, Described]:
    return (
        Described(f"mean_{name}", "s", f"mean of {what}; repeats weighted by their number of samples"),
        Described(f"pNN_{name}", "s", f"percentile of {what}: of the pooled samples of all repeats; {always}"),
    )


_ASKED = "those that an SLO names"

AGGREGATED: tuple[Described, ...] = (
    *_latency("ttft", "TTFT over the successful requests", _ASKED),
    *_latency("tpot", "TPOT over the successful requests with two tokens or more", _ASKED),
    *_latency("itl", "all gaps between chunks", _ASKED),
    *_latency("e2e_latency", "latency over the successful requests", f"p50, p90, p99 and {_ASKED}"),
    Described("min_e2e_latency", "s", "least over all repeats"),
    Described("max_e2e_latency", "s", "most over all repeats"),
    Described(
        "mean_output_throughput",
        "tokens/s",
        "output tokens that arrived inside the window / its length; repeats weighted by the length of their windows",
        per_gpu=True,
    ),
    Described(
        "mean_input_throughput",
        "tokens/s",
        "prompt tokens of requests whose first token arrived inside it / its length",
    ),
    Described("mean_total_throughput", "tokens/s", "output + input", per_gpu=True),
    Described("max_output_throughput", "tokens/s", "largest over all load points and repeats", per_gpu=True),
    Described("max_total_throughput", "tokens/s", "largest over all load points and repeats", per_gpu=True),
    Described("requests_per_second", "requests/s", "successful requests that ended inside the window / its length"),
    Described(
        "goodput",
        "requests/s",
        "of these, those that keep the SLO limits of a single request / its length; none without a latency limit",
        per_gpu=True,
    ),
    Described("total_requests", "count", "requests started inside the windows"),
    Described("total_completed_requests", "count", "of these, those that succeeded"),
    Described("total_error_requests", "count", "of these, those that failed"),
    Described("total_incomplete_requests", "count", "of these, those without an end when the measurement was over"),
    Described("success_rate", "share", "completed / all"),
    Described("error_rate", "share", "1 − success_rate"),
    Described(
        "answer_difference",
        "share",
        "share of the answers' tokens from the first one that differs from the baseline's; of the baseline itself: "
        "most between two of its passes; none without a quality guard",
    ),
    Described(
        "logprob_distance",
        "nats",
        "mean difference of the log-probabilities of the likeliest tokens, at positions with equal prefixes, likewise",
    ),
    Described("mean_server_running", "requests", "requests being computed, as the server tells; mean over the pages"),
    Described("max_server_running", "requests", "most on any page"),
    Described("mean_server_waiting", "requests", "requests in the server's queue, as it tells; mean over the pages"),
    Described("max_server_waiting", "requests", "most on any page"),
    Described("mean_kv_cache_use", "share", "KV cache in use, as the server tells; mean over the pages"),
    Described("max_kv_cache_use", "share", "most on any page"),
    Described("preemptions", "count", "requests that the server put back to make room; sum over the repeats"),
    Described("server_prompt_tokens", "tokens", "prompt tokens by the server's own counter; sum over the repeats"),
    Described("server_generation_tokens", "tokens", "output tokens by the server's own counter; sum over the repeats"),
    Described(
        "prefix_hit_rate", "share", "prompt tokens found in the prefix cache / looked up, by the server's counters"
    ),
    Described("mean_gpu_utilization", "share", "time in which anything ran on a GPU; mean over readings and GPUs"),
    Described("mean_gpu_sm_clock", "MHz", "clock of the multiprocessors; mean over readings and GPUs"),
    Described(
        "mean_gpu_power",
        "W",
        "power of all GPUs of the server together: those that it may use and on which anything ran",
    ),
    Described("max_gpu_memory_used", "bytes", "most memory in use on one GPU, by anybody"),
    Described("max_gpu_temperature", "°C", "hottest reading of any GPU"),
    Described("energy_per_output_token", "J", "power of all these GPUs × window / output tokens inside it"),
    Described("repeats", "count", "windows of the scored load point"),
    Described("percentile_source", "text", "`single`, `pooled`, or `worst_repeat` where the samples are not at hand"),
    Described("scored_load_points", "names", "what the flat figures describe: the first of them"),
    Described(
        "max_load_meeting_slo",
        "requests or requests/s",
        "of a search for a load: where the isotonic fit of the first SLO's log(actual / threshold) is zero, linear in "
        "log(load); a whole number of requests in flight; none when not even the lowest load meets the SLO",
        per_gpu=True,
    ),
    Described("max_load_low", "requests or requests/s", "least that the true highest load is taken to be"),
    Described("max_load_high", "requests or requests/s", "most that it is taken to be"),
    Described(
        "max_load_limited_by",
        "text",
        "the figure whose SLO limits the load, `load_not_sustained`; or `highest_load`, `nothing_meets`, `probes_used`",
    ),
    Described("max_load_cliff", "yes or no", "whether the SLO is kept with room and, by the next load, far exceeded"),
    Described("max_load_precise", "yes or no", "whether it is known to the tolerance; no: the probes were used up"),
    Described("max_load_probes", "count", "windows that the search took"),
    Described(
        "interpolated",
        "yes or no",
        "whether the flat figures lie between two measured loads: linear in log(load), figures with an SLO by the fit",
    ),
    Described("concurrency_levels", "requests", "what was measured"),
    Described("request_rates", "requests/s", "what was measured"),
    Described("client_saturated", "yes or no", "of any window"),
    Described(
        "load_not_sustained",
        "yes or no",
        "whether in any window of an open loop requests came faster than they were answered",
    ),
    Described("disturbed", "yes or no", "of any window"),
    Described("predicted", "yes or no", "of any window"),
    Described("samples_errors", "text", "why request records could not be written, such as a full disk"),
    Described("measured_s", "s", "length of all windows together"),
    Described("saved_s", "s", "by how much early stops shortened them, windows that were left out included"),
    Described("stopped_early", "sentences", "of each window that ended early: when and why"),
    Described("cut", "text", "`slo_out_of_reach` or `certainly_worse` where that ended a window"),
    Described("pruned", "sentence", "why the start was not measured any further; none where it was"),
    Described("not_measured", "names", "load points that were left out, and why"),
    Described("from_other_start", "count", "windows that an earlier start measured before the run was cut off"),
    Described("scenarios", "list", "the flat figures of each scored load point"),
    Described("raw_results", "list", "every window by itself, and its throughputs under the names of other tools"),
)
"""In the order of the page."""
