"""An OpenAI-compatible server whose behaviour is set, and whose truth is known: for tests and demonstrations."""

from autotuner.mock_server.options import Fault, MockOptions
from autotuner.mock_server.server import MockServer
from autotuner.mock_server.truth import Truth

__all__ = ["Fault", "MockOptions", "MockServer", "Truth"]
