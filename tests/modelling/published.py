"""Published configurations of well-known models, read."""

from pathlib import Path

from autotuner.engines.model_folder import read_model_folder
from autotuner.modelling.facts import ModelFacts

CONFIGS = Path(__file__).resolve().parents[1] / "data" / "model_configs"


def published(name: str) -> ModelFacts:
    """The facts of ``tests/data/model_configs/NAME.json``."""
    return read_model_folder(str(CONFIGS / f"{name}.json"))
