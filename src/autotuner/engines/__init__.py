"""Inference engines, one folder each; ``registry`` knows them by name."""
