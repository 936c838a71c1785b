"""Asks a server the prompts, greedily, and keeps what it answers."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Sequence

from autotuner.contracts.attempt import ServerFacts
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.quality import Answer, Answers, QualityProbe
from autotuner.network.http import Answer as HttpAnswer
from autotuner.network.http import request
from autotuner.quality.prompts import prompts_of
from autotuner.quality.reading import read_answer

TRIES = 2
"""So often each prompt is asked before it counts as not answered."""

HOPELESS = 3
"""After so many prompts without an answer, and none with one, no more are asked."""

OK = 200
REFUSALS = frozenset({400, 422, 501})
"""Answers of a server that does not take a field of the request."""


async def ask_all(
    endpoint: Endpoint, facts: ServerFacts, probe: QualityProbe, *, request_timeout_s: float
) -> tuple[Answers, ...]:
    """The passes of a probe, as far as they came: at least one. Nothing that the server does is an error here."""
    try:
        prompts = await asyncio.to_thread(prompts_of, probe.prompts)
    except AutotunerError as error:
        return (Answers(prompts=probe.prompts.sha256, answers=(None,) * probe.prompts.prompts, error=str(error)),)
    tls = await asyncio.to_thread(ssl.create_default_context) if endpoint.base_url.startswith("https:") else None
    asking = _Asking(endpoint, facts, probe, prompts, request_timeout_s, tls)
    made: list[Answers] = []
    limit = asyncio.timeout(probe.budget_s)
    try:
        async with limit:
            for number in range(len(probe.passes)):
                made.append(await asking.run(number))
                if not any(made[-1].answers):
                    break
    except TimeoutError:
        if not limit.expired():
            raise
        asking.failed(f"the prompts were not answered within {probe.budget_s:g} s")
        made.append(asking.answers())
    return tuple(made)


class _Asking:
    """Goes through the prompts, several requests at a time."""

    def __init__(
        self,
        endpoint: Endpoint,
        facts: ServerFacts,
        probe: QualityProbe,
        prompts: Sequence[str],
        timeout_s: float,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._url = endpoint.base_url + facts.completions_path
        self._headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
        self._model = endpoint.model
        self._probe = probe
        self._prompts = prompts
        self._timeout_s = timeout_s
        self._tls = tls
        self._logprobs = True
        self._found: list[Answer | None] = []
        self._error: str | None = None
        self._failures = 0

    async def run(self, number: int) -> Answers:
        """One pass. Each begins at another prompt, so that other ones are computed together."""
        count, passes = len(self._prompts), self._probe.passes
        first = number * count // len(passes)
        self._found, self._error, self._failures = [None] * count, None, 0
        places = iter([*range(first, count), *range(first)])

        async def work() -> None:
            for place in places:
                if self._failures >= HOPELESS and not any(self._found):
                    return
                self._found[place] = await self._answer(self._prompts[place])

        async with asyncio.TaskGroup() as group:
            for _ in range(min(passes[number], count)):
                group.create_task(work())
        return self.answers()

    def answers(self) -> Answers:
        """What this pass has come to so far."""
        found = self._found or [None] * len(self._prompts)
        return Answers(prompts=self._probe.prompts.sha256, answers=tuple(found), error=self._error)

    def failed(self, why: str) -> None:
        """Note the first reason for a missing answer."""
        self._error = self._error or why

    async def _answer(self, prompt: str) -> Answer | None:
        logprobs, why = self._logprobs, ""
        for _ in range(TRIES):
            try:
                answer = await self._request(prompt, logprobs=logprobs)
                if logprobs and answer.status in REFUSALS:
                    # The prompt is at fault, or the wish for log-probabilities; answers alone can be compared too.
                    why = f"HTTP {answer.status}: {answer.text}"
                    answer, logprobs = await self._request(prompt, logprobs=False), False
                    self._logprobs = self._logprobs and answer.status != OK
                if answer.status == OK:
                    return read_answer(answer.body)
                why = why or f"HTTP {answer.status}: {answer.text}"
            except (OSError, ValueError) as error:
                why = str(error) or f"no answer within {self._timeout_s:g} s"
        self._failures += 1
        self.failed(why)
        return None

    async def _request(self, prompt: str, *, logprobs: bool) -> HttpAnswer:
        fields: dict[str, object] = {
            "model": self._model,
            "prompt": prompt,
            "max_tokens": self._probe.output_tokens,
            "temperature": 0,
        }
        if logprobs:
            fields["logprobs"] = self._probe.top
        return await request(
            "POST",
            self._url,
            headers=self._headers,
            body=json.dumps(fields).encode(),
            timeout_s=self._timeout_s,
            tls=self._tls,
        )
