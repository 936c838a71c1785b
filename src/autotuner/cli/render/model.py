"""A model on the terminal: its facts, and what it needs on GPUs."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from autotuner.cli.output import table
from autotuner.modelling.facts import ModelFacts
from autotuner.modelling.memory import Fit, gib
from autotuner.services.model_memory import LayoutNeed, ModelReport
from autotuner.services.report.wording import one_line


def model_view(report: ModelReport) -> list[RenderableType]:
    """Facts, notes, and a row for each layout."""
    parts: list[RenderableType] = [table(("model", ""), _facts(report))]
    parts += [Text(f"Note: {one_line(note)}.", style="yellow") for note in report.notes]
    if report.gpu is None or report.load is None:
        return parts
    load = report.load
    parts += [
        "",
        Text(
            f"One server on {report.gpu.label} ({gib(report.gpu.usable_bytes)} usable), memory as {report.engine} "
            f"counts it; context {load.context}, {load.max_num_seqs} sequences, {load.max_num_batched_tokens} tokens "
            "per pass. Each line is the fullest GPU."
        ),
    ]
    headers = ("layout", "GPUs", "weights", "KV/token", "activations", "overhead", "need", "budget", "", "sequences")
    parts.append(table(headers, [_row(need, need.fit) for need in report.layouts if need.fit]))
    parts += _remarks(report.layouts)
    return parts


def _facts(report: ModelReport) -> list[tuple[str, str]]:
    facts = report.facts
    active = "" if facts.experts is None else f", of which a token meets {_number(report.active_parameters)}"
    heads = f"{facts.attention}, {facts.heads} heads"
    heads += (
        f", {facts.latent.kv_lora_rank} + {facts.latent.qk_rope_head_dim} values of KV cache per token and layer"
        if facts.latent is not None
        else f", {facts.kv_heads} of keys and values, {facts.head_dim} wide"
    )
    rows = [
        ("name", facts.name),
        ("architecture", f"{facts.architecture} ({facts.model_type})"),
        ("weights", f"{_number(report.parameters)}{active}; {gib(report.weight_bytes)} as loaded"),
        ("layers", f"{facts.layers}, {facts.hidden_size} wide" + _dense(facts)),
        ("attention", heads),
    ]
    if facts.experts is not None:
        of = facts.experts
        shared = f", shared ones {of.shared_size} wide in all" if of.shared_size else ""
        rows.append(("experts", f"{of.count}, {of.per_token} per token, {of.intermediate_size} wide{shared}"))
    window = f"; {facts.window_layers} layers look back {facts.sliding_window}" if facts.window_layers else ""
    rows.append(("context", f"{facts.max_positions or 'not said'} tokens{window}"))
    rows.append(("vocabulary", f"{facts.vocab_size}" + (", tied to the output head" if facts.tied_embeddings else "")))
    stored = facts.quantisation
    said = "none" if stored is None else f"{stored.label}, {stored.bits:.3g} bits per weight (by its {stored.source})"
    rows.append(("quantisation", said))
    rows.append(("type", facts.dtype))
    rows.append(("KV cache", f"{_kib(report.kv_bytes_per_token)} per token"))
    return rows


def _number(weights: int) -> str:
    return f"{weights / 1e9:.2f} B" if weights >= 1e9 else f"{weights / 1e6:.1f} M"


def _kib(size: int) -> str:
    return f"{size / 1024:.1f} KiB"


def _dense(facts: ModelFacts) -> str:
    if facts.experts is None:
        return f", feed-forward {facts.intermediate_size} wide"
    dense = facts.layers - len(facts.experts.layers)
    return f"; {dense} of them dense, {facts.intermediate_size} wide" if dense else ""


def _row(need: LayoutNeed, found: Fit) -> tuple[object, ...]:
    parts = found.parts
    return (
        need.label,
        need.gpus,
        gib(parts.weights),
        _kib(found.kv_bytes_per_token),
        gib(parts.activations),
        gib(parts.overhead),
        gib(found.need),
        gib(found.budget),
        found.verdict,
        found.sequences,
    )


def _remarks(layouts: tuple[LayoutNeed, ...]) -> list[RenderableType]:
    """What is refused and why, each reason once; then what layouts cost."""
    lines: dict[str, str] = {}
    for need in layouts:
        for sentence in filter(None, (need.refused, *need.notes)):
            lines.setdefault(
                sentence, f"Left out: {one_line(sentence)}." if sentence == need.refused else f"{one_line(sentence)}."
            )
    return ["", *(Text(line, style="dim") for line in lines.values())] if lines else []
