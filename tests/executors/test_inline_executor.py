"""The inline executor."""

import pytest

from autotuner.executors.inline import InlineExecutor
from conformance.executor_suite import ExecutorSuite


class TestInlineExecutor(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> InlineExecutor:
        return InlineExecutor()
