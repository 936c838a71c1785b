"""The parameter presets that come with the program. Their flags are SGLang's; other engines get them translated."""

from __future__ import annotations

from autotuner.contracts.presets import NewPreset, PresetMetadata
from autotuner.contracts.values import Scalar

RUNTIME = "sglang"


def _preset(
    name: str,
    slug: str,
    category: str,
    description: str,
    parameters: dict[str, tuple[Scalar, ...]],
    tags: tuple[str, ...],
    recommended_for: tuple[str, ...],
) -> NewPreset:
    return NewPreset(
        name=name,
        slug=slug,
        description=description,
        category=category,
        runtime=RUNTIME,
        parameters=parameters,
        metadata=PresetMetadata(author="inference-autotuner", tags=tags, recommended_for=recommended_for),
        visibility="public",
        is_system=True,
    )


SYSTEM_PRESETS = (
    _preset(
        "Memory Efficient",
        "memory-efficient",
        "memory",
        "One GPU, with memory left beside weights and KV cache",
        {"tp-size": (1,), "mem-fraction-static": (0.7, 0.75)},
        ("memory", "single-gpu"),
        ("single-gpu", "shared-gpu"),
    ),
    _preset(
        "High Throughput",
        "high-throughput",
        "performance",
        "Several GPUs, and as much KV cache as fits",
        {"tp-size": (2, 4), "mem-fraction-static": (0.9,)},
        ("throughput", "batch"),
        ("multi-gpu", "batch", "high-traffic"),
    ),
    _preset(
        "Low Latency",
        "low-latency",
        "performance",
        "Few GPUs, and requests with a known beginning first",
        {"tp-size": (1, 2), "schedule-policy": ("lpm",)},
        ("latency", "interactive"),
        ("interactive", "chat"),
    ),
    _preset(
        "Balanced",
        "balanced",
        "general",
        "A start where nothing is known of the load",
        {"tp-size": (1, 2), "mem-fraction-static": (0.85,)},
        ("general",),
        ("general", "baseline"),
    ),
)
