"""Inference engines; each is a plug-in that imports contracts and pure packages only."""
