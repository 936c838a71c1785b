"""Counts and samples a grid of 10^9 points, beside walking 10^6 points with itertools.product. Prints time and memory.

Then the same of a joint space of twelve parameters (layout, precision, flags of an engine on GPUs) with 10^5 and with
10^8 points: what a sample of it costs does not grow with the grid. And the same where the rule of memory applies, with
what planning costs more for it.

    python benchmarks/planner.py [SAMPLES] [--anyway]

Each part runs in a process of its own, so that its peak memory is its own; both are measured in the same run.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import random
import resource
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path

from quiet import add_arguments, quiet_machine

from autotuner.config.document import TaskDocument
from autotuner.config.load import validate
from autotuner.contracts.values import Scalar
from autotuner.engines.registry import engine
from autotuner.planning.neutral import Neutral
from autotuner.planning.parameters import Given, read_parameters
from autotuner.planning.plan import Plan
from autotuner.planning.planner import HostFacts, make_dimensions, make_plan
from autotuner.planning.resolve import ModelFile

TENS: Mapping[str, list[Scalar]] = {
    "n_parallel": [1, 2, 4, 6, 8, 12, 16, 24, 32, 64],
    "n_batch": [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096],
    "n_ubatch": [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048],
    "poll": [0, 10, 20, 30, 40, 50, 60, 70, 80, 100],
    "n_threads_http": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    "n_cache_reuse": [0, 16, 32, 64, 96, 128, 192, 256, 384, 512],
    "cache_ram_mib": [-1, 0, 64, 128, 256, 512, 1024, 2048, 4096, 8192],
    "slot_prompt_similarity": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    "max_model_len": [256, 384, 512, 640, 768, 896, 1024, 1280, 1536, 2048],
}
"""Nine parameters with ten values each; rules of the engine couple four of them."""

LAYOUTS = {"tp": [1, 2, 4, 8], "pp": [1, 2, 4], "dp": [1, 2, 3, 4]}
PRECISIONS = {"gemm_dtype": ["auto", "bfloat16", "fp8"], "kvcache_dtype": ["auto", "fp8_e4m3", "fp8_e5m2"]}
FLAGS: Mapping[str, list[Scalar]] = {
    "max-num-seqs": [8, 16, 32, 64, 128, 256, 512, 1024],
    "max-num-batched-tokens": [2048, 4096, 8192, 16384, 32768, 65536],
    "gpu-memory-utilization": [0.7, 0.75, 0.8, 0.85, 0.9, 0.95],
    "block-size": [16, 32, 64, 128],
    "enable-prefix-caching": [True, False],
    "stream-interval": [1, 2, 4, 8, 16, 32, 64, 128],
    "long-prefill-token-threshold": [0, *(128 * 2**power for power in range(12))],
}
"""Together 1.0 × 10^8 points; ``FEW`` values of each flag leave 2.8 × 10^5."""
FEW = {
    "max-num-seqs": 3,
    "max-num-batched-tokens": 3,
    "gpu-memory-utilization": 3,
    "block-size": 2,
    "enable-prefix-caching": 2,
    "stream-interval": 2,
    "long-prefill-token-threshold": 3,
}

MIDDLE = {"max-num-seqs": 8, "max-num-batched-tokens": 4, "gpu-memory-utilization": 4}
"""Values of each flag which, with the layouts and precisions, make 55,296 points."""

QWEN = Path(__file__).resolve().parents[1] / "tests" / "data" / "model_configs" / "qwen3-32b.json"

MODEL = ModelFile("m.gguf", "/m.gguf", {"context_length": 4096})
WALKED = 10**6


def plan_a_billion(samples: int) -> list[str]:
    """Plan (which counts), then sample."""
    document = validate({"base_runtime": "llamacpp", "model": {"id_or_path": MODEL.name}, "parameters": dict(TENS)})
    llama = engine("llamacpp")
    began = time.perf_counter()
    plan = make_plan(document, engine=llama, models=[MODEL], host=HostFacts(cores=(0, 1)), rng=random.Random(0))
    planned = time.perf_counter()
    rng = random.Random(1)
    drawn = sum(plan.space.sample(rng) is not None for _ in range(samples))
    sampled = time.perf_counter()
    kind = "counted" if plan.count.exact else "estimated"
    count, each = plan.count, (sampled - planned) / max(1, drawn) * 1e6
    numbers = f"{count.combinations:,} combinations, {count.valid or 0:,} valid, {count.distinct or 0:,} distinct"
    return [
        f"planned and {kind}: {numbers} in {planned - began:.3f} s",
        f"sampled: {drawn:,} valid configurations in {sampled - planned:.3f} s ({each:.0f} µs each)",
    ]


def walk_a_million(_: int) -> list[str]:
    """The plain way, without looking at a rule: a thousandth of the grid, listed."""
    document = validate({"base_runtime": "llamacpp", "model": {"id_or_path": MODEL.name}, "parameters": dict(TENS)})
    dimensions = make_dimensions(document, _given(document), [MODEL])
    names = [dimension.name for dimension in dimensions]
    values = [[dimension.value(index) for index in range(dimension.size or 0)] for dimension in dimensions]
    began = time.perf_counter()
    combinations = itertools.islice(itertools.product(*values), WALKED)
    listed = [dict(zip(names, combination, strict=True)) for combination in combinations]
    return [f"listed with itertools.product: {len(listed):,} combinations in {time.perf_counter() - began:.3f} s"]


def _given(document: TaskDocument) -> dict[str, Given]:
    llama = engine("llamacpp")
    return read_parameters(document, llama.catalogue, Neutral(llama.neutral, llama.catalogue))


def joint_space_of_1e5_and_1e8(samples: int) -> list[str]:
    """Distinct valid points of both, and what one costs; the smaller space is drawn from first and last."""
    return _joint_spaces(samples, ModelFile("owner/model", "owner/model", {}), None)


def joint_space_of_1e5_and_1e8_with_known_memory(samples: int) -> list[str]:
    """The same where model and GPU are known, so that the rule of memory looks at eight parameters at once."""
    known = ModelFile("owner/model", "owner/model", engine("vllm").read_model(str(QWEN)))
    return [*_joint_spaces(samples, known, "h100_sxm"), *_memory_rule_cost(known)]


def _joint_spaces(samples: int, model: ModelFile, gpu: str | None) -> list[str]:
    lines, each = [], []
    for flags in (_few(), FLAGS, _few()):
        began = time.perf_counter()
        plan = _joint_plan(flags, model, gpu)
        planned = time.perf_counter()
        rng, found, drawn = random.Random(1), set[str](), 0
        while len(found) < samples and drawn < 10 * samples:
            drawn += 1
            configuration = plan.space.sample(rng)
            if configuration is not None:
                found.add(plan.space.identity(configuration))
        sampled = time.perf_counter() - planned
        count, kind = plan.count, "counted" if plan.count.exact else "estimated"
        each.append(sampled / drawn * 1e6)
        lines.append(
            f"{count.combinations:,} combinations, {count.valid or 0:,} valid ({kind}) in {planned - began:.3f} s; "
            f"{len(found):,} distinct points in {drawn:,} draws, {each[-1]:.0f} µs each"
        )
    return [
        *lines,
        f"a draw from the larger space costs {each[1] * 2 / (each[0] + each[2]):.2f} times one of the smaller",
    ]


def _memory_rule_cost(model: ModelFile) -> list[str]:
    """Planning a middle-sized space without and with the rule, each before and after the other."""
    flags = {name: FLAGS[name][:most] for name, most in MIDDLE.items()}
    seconds: dict[str | None, list[float]] = {None: [], "h100_sxm": []}
    size = 0
    for gpu in (None, "h100_sxm", None, "h100_sxm"):
        began = time.perf_counter()
        size = _joint_plan(flags, model, gpu).count.combinations or 0
        seconds[gpu].append(time.perf_counter() - began)
    without, with_rule = min(seconds[None]), min(seconds["h100_sxm"])
    return [
        f"{size:,} combinations planned in {without:.2f} s without the rule of memory, in {with_rule:.2f} s with it",
        f"so the rule makes planning take {with_rule / without:.2f} times as long",
    ]


def _joint_plan(flags: Mapping[str, list[Scalar]], model: ModelFile, gpu: str | None) -> Plan:
    document = validate(
        {
            "base_runtime": "vllm",
            "model": {"id_or_path": model.name},
            "system_config": {"total_gpus": 8, "gpu_type": gpu},
            "parallel_config": LAYOUTS,
            "quant_config": PRECISIONS,
            "parameters": dict(flags),
        }
    )
    host = HostFacts(cores=(0, 1))
    return make_plan(document, engine=engine("vllm"), models=[model], host=host, rng=random.Random(0))


def _few() -> dict[str, list[Scalar]]:
    return {name: values[: FEW[name]] for name, values in FLAGS.items()}


def _report(part: Callable[[int], list[str]], samples: int, out: Connection) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = part(samples)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out.send([*lines, f"peak memory {after / 1024:.0f} MiB, of it {(after - before) / 1024:.0f} MiB for this"])


def main() -> None:
    parser = argparse.ArgumentParser(description="counting and sampling a large grid")
    parser.add_argument("samples", type=int, nargs="?", default=1000)
    add_arguments(parser)
    given = parser.parse_args()
    with quiet_machine(anyway=given.anyway, wait=given.wait):
        run(given.samples)


def run(samples: int) -> None:
    context = multiprocessing.get_context("spawn")
    parts = (
        plan_a_billion,
        walk_a_million,
        joint_space_of_1e5_and_1e8,
        joint_space_of_1e5_and_1e8_with_known_memory,
    )
    for part in parts:
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=_report, args=(part, samples, sending))
        process.start()
        sending.close()
        try:
            print(part.__name__.replace("_", " "))
            for line in receiving.recv():
                print("  " + line)
        except EOFError:
            sys.exit(f"{part.__name__} failed")
        finally:
            process.join()


if __name__ == "__main__":
    main()
