"""A plot: which share of the runs is near the best after so many experiments, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from searching.running import BUDGET, Run

_COLOURS = {
    "bayesian": "#c2410c",
    "tpe": "#1d4ed8",
    "random": "#6b7280",
    "gp": "#15803d",
    "cmaes": "#7e22ce",
    "nsga2": "#0f766e",
    "nsga3": "#a16207",
    "qmc": "#9ca3af",
    "grid": "#111827",
}
_WIDTH, _HEIGHT, _GAP = 300, 190, 62
_COLUMNS = 2
_FONT = 'font-family="sans-serif" font-size="12"'


def svg(panels: Mapping[str, Mapping[str, Sequence[Run]]], tolerance: float) -> str:
    """One panel for each title, one line for each strategy in it."""
    across = min(_COLUMNS, max(1, len(panels)))
    down = -(-len(panels) // across)
    strategies = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    width = across * (_WIDTH + _GAP) + _GAP // 2
    height = down * (_HEIGHT + _GAP) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, (title, lines) in enumerate(panels.items()):
        left = _GAP * 0.8 + number % across * (_WIDTH + _GAP)
        top = _GAP / 2 + number // across * (_HEIGHT + _GAP)
        parts += _panel(title, lines, tolerance, left, top)
    for number, name in enumerate(strategies):
        x = _GAP * 0.8 + number * 95
        parts.append(f'<line x1="{x}" y1="{height - 16}" x2="{x + 18}" y2="{height - 16}" {_stroke(name)}/>')
        parts.append(f'<text x="{x + 23}" y="{height - 12}" {_FONT}>{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(title: str, lines: Mapping[str, Sequence[Run]], tolerance: float, left: float, top: float) -> list[str]:
    bottom = top + _HEIGHT
    parts = [f'<text x="{left}" y="{top - 8}" {_FONT} font-weight="bold">{escape(title)}</text>']
    for share in (0, 0.5, 1):
        y = bottom - share * _HEIGHT
        parts.append(f'<line x1="{left}" y1="{y}" x2="{left + _WIDTH}" y2="{y}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4}" {_FONT} text-anchor="end">{share:.0%}</text>')
    for count in range(0, BUDGET + 1, 10):
        x = left + count / BUDGET * _WIDTH
        parts.append(f'<text x="{x}" y="{bottom + 16}" {_FONT} text-anchor="middle">{count}</text>')
    parts.append(f'<text x="{left + _WIDTH / 2}" y="{bottom + 31}" {_FONT} text-anchor="middle">experiments</text>')
    for name, runs in lines.items():
        needed = [run.needed(tolerance) for run in runs]
        points, share = [f"{left},{bottom}"], 0.0
        for count in range(1, BUDGET + 1):
            x, before = left + count / BUDGET * _WIDTH, share
            share = sum(n is not None and n <= count for n in needed) / len(needed)
            points += [f"{x:.1f},{bottom - before * _HEIGHT:.1f}", f"{x:.1f},{bottom - share * _HEIGHT:.1f}"]
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" {_stroke(name)}/>')
    return parts


def _stroke(name: str) -> str:
    return f'stroke="{_COLOURS.get(name, "#000000")}" stroke-width="{2.5 if name == "bayesian" else 1.6}"'
