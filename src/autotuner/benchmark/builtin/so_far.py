"""What a worker tells of its running window, for whoever decides whether it goes on."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from autotuner.benchmark.builtin.exchange import Exchange
from autotuner.benchmark.builtin.window import Window
from autotuner.benchmark.builtin.wire import EndedRequest, Seen


class Telling:
    """Tells of one window. Requests that have ended are told once; those in flight and the sums each time."""

    def __init__(self, window: Window, slo_limits: Mapping[str, float]) -> None:
        self._window = window
        self._limits = slo_limits
        self._told = 0
        self._output = 0.0
        self._tokens = 0
        self._chunks = 0
        self._input = 0.0
        self._good = 0

    def seen(self) -> Seen:
        """What there is now that was not told before, and the sums since the window's opening."""
        window, opened = self._window, self._window.opened
        new = window.over[self._told :]
        self._told += len(new)
        for exchange in new:
            if exchange.error is None:
                tokens, chunks = exchange.output_tokens or 0, len(exchange.arrivals)
                self._tokens += tokens
                self._chunks += chunks
                self._output += tokens / chunks * _since(exchange, opened)
                self._input += _prompt(exchange, opened)
                self._good += self._keeps(exchange)
        output, prompt = self._output, self._input
        per_chunk = self._tokens / self._chunks if self._chunks else 1.0  # known of those that have ended
        live = []
        for exchange in window.live:
            output += per_chunk * _since(exchange, opened)
            prompt += _prompt(exchange, opened)
            if exchange.in_window:
                live.append((_started(exchange) - opened, _ttft(exchange)))
        return Seen(
            ended=tuple(_told(exchange, opened) for exchange in new if exchange.in_window),
            live=tuple(live),
            output_tokens=output,
            prompt_tokens=prompt,
            good=self._good,
        )

    def _keeps(self, exchange: Exchange) -> bool:
        own = {"ttft": _ttft(exchange), "tpot": _tpot(exchange), "e2e": exchange.arrivals[-1] - _started(exchange)}
        return all((value := own[metric]) is None or value <= limit for metric, limit in self._limits.items())


def _told(exchange: Exchange, opened: float) -> EndedRequest:
    e2e = exchange.arrivals[-1] - _started(exchange) if exchange.arrivals else None
    return (_started(exchange) - opened, _ttft(exchange), _tpot(exchange), e2e, exchange.error is None)


def _started(exchange: Exchange) -> float:
    return exchange.started or 0.0


def _ttft(exchange: Exchange) -> float | None:
    return exchange.arrivals[0] - _started(exchange) if exchange.arrivals else None


def _tpot(exchange: Exchange) -> float | None:
    tokens = exchange.output_tokens or 0
    return (exchange.arrivals[-1] - exchange.arrivals[0]) / (tokens - 1) if tokens > 1 and exchange.arrivals else None


def _since(exchange: Exchange, opened: float) -> int:
    """Chunks that arrived since the opening."""
    arrivals = exchange.arrivals
    return len(arrivals) - bisect_left(arrivals, opened) if _started(exchange) < opened else len(arrivals)


def _prompt(exchange: Exchange, opened: float) -> float:
    """Prompt tokens of a request whose first token came since the opening; as many as asked for until it has ended."""
    if not exchange.arrivals or exchange.arrivals[0] < opened:
        return 0.0
    return float(exchange.prompt_tokens or exchange.asked_prompt or 0)
