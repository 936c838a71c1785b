"""The plots of a report, as plotly specifications: plain data, so that neither plotly nor a browser is needed here."""

from autotuner.services.report.figures.effects import importance_figure, slice_figures
from autotuner.services.report.figures.evidence import gain_figure, grid_figure, grid_places, starts_figure
from autotuner.services.report.figures.figure import Figure, plot_text
from autotuner.services.report.figures.load import load_figures
from autotuner.services.report.figures.parameters import parallel_figure, value_figures, varied_parameters
from autotuner.services.report.figures.search import history_figure, phases_figure, slo_figures
from autotuner.services.report.figures.trade_offs import trade_off_figures

__all__ = [
    "Figure",
    "gain_figure",
    "grid_figure",
    "grid_places",
    "history_figure",
    "importance_figure",
    "load_figures",
    "parallel_figure",
    "phases_figure",
    "plot_text",
    "slice_figures",
    "slo_figures",
    "starts_figure",
    "trade_off_figures",
    "value_figures",
    "varied_parameters",
]
