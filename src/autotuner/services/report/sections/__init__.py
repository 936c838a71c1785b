"""The parts of the HTML report: each function makes one section of a result, or nothing when there is none to show."""

from autotuner.services.report.sections.comparison import comparison, server_figures
from autotuner.services.report.sections.evidence import evidence, grid, verified
from autotuner.services.report.sections.failures import failures
from autotuner.services.report.sections.head import provenance, verdict
from autotuner.services.report.sections.load import load_curve
from autotuner.services.report.sections.parameters import parameters
from autotuner.services.report.sections.quality import quality
from autotuner.services.report.sections.search import experiments, history, time_spent
from autotuner.services.report.sections.trade_offs import trade_offs

__all__ = [
    "comparison",
    "evidence",
    "experiments",
    "failures",
    "grid",
    "history",
    "load_curve",
    "parameters",
    "provenance",
    "quality",
    "server_figures",
    "time_spent",
    "trade_offs",
    "verdict",
    "verified",
]
