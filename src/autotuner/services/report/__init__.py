"""A task's result as HTML, CSV and JSON, and the words that every display uses."""

from autotuner.services.report.csv_export import render_csv
from autotuner.services.report.html import render_html
from autotuner.services.report.json_export import render_json

__all__ = ["render_csv", "render_html", "render_json"]
