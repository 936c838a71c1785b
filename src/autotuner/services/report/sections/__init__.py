"""The parts of the HTML report: each function makes one section of a result, or nothing when there is none to show."""

from autotuner.services.report.sections.comparison import comparison
from autotuner.services.report.sections.evidence import evidence, grid, verified
from autotuner.services.report.sections.failures import failures
from autotuner.services.report.sections.head import setting, verdict
from autotuner.services.report.sections.quality import quality
from autotuner.services.report.sections.search import experiments, history, time_spent

__all__ = [
    "comparison",
    "evidence",
    "experiments",
    "failures",
    "grid",
    "history",
    "quality",
    "setting",
    "time_spent",
    "verdict",
    "verified",
]
