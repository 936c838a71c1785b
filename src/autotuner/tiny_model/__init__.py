"""Makes small random models for tests and first steps: no download, the work per token of a real model."""

from autotuner.tiny_model.create import CreatedModel, create_model

__all__ = ["CreatedModel", "create_model"]
