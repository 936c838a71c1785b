"""Inference engines, one folder each."""
