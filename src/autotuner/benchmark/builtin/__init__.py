"""The default client: its own process, raw HTTP/1.1 streaming, our own definitions."""

from autotuner.benchmark.builtin.client import BuiltinClient

__all__ = ["BuiltinClient"]
