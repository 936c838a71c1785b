"""Asking a server, on the mock server."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotuner.contracts.attempt import ServerFacts
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.quality import BASELINE_PASSES, Answers, QualityProbe
from autotuner.mock_server import MockOptions, MockServer
from autotuner.mock_server.options import Fault
from autotuner.quality.asking import HOPELESS, TRIES, ask_all
from autotuner.quality.prompts import BUILT_IN, describe_prompts
from autotuner.scoring.answers import calibrate, judge_answers

QUICK = {"ttft_s": 0.0, "token_s": 0.0}


def probe(**changes: object) -> QualityProbe:
    return QualityProbe(prompts=describe_prompts(None)).model_copy(update=changes)


async def asked(options: MockOptions, asking: QualityProbe, *, timeout_s: float = 10) -> tuple[Answers, ...]:
    async with MockServer(options) as server:
        endpoint = Endpoint(server.base_url, "mock", api_key=options.api_key)
        return await ask_all(endpoint, ServerFacts(), asking, request_timeout_s=timeout_s)


async def test_every_prompt_is_answered_with_log_probabilities() -> None:
    async with MockServer(MockOptions(**QUICK, api_key="k")) as server:
        passes = await ask_all(
            Endpoint(server.base_url, "mock", api_key="k"),
            ServerFacts(),
            probe(passes=BASELINE_PASSES),
            request_timeout_s=10,
        )
        seen = [truth.prompt for truth in server.truth]
    assert len(passes) == 4
    assert passes[0] == passes[1]  # whatever the order in which they were asked
    assert sorted(seen) == sorted(prompt[:64] for prompt in BUILT_IN for _ in BASELINE_PASSES)
    for answer in passes[0].answers:
        assert answer is not None
        assert len(answer.tokens) == 16
        assert all(len(token.top) == 5 and token.token == next(iter(token.top)) for token in answer.tokens)
        assert "".join(token.token for token in answer.tokens) == answer.text


async def test_the_requests_in_flight_are_as_many_as_the_pass_says() -> None:
    async with MockServer(MockOptions(ttft_s=0.01, token_s=0.0)) as server:
        await ask_all(Endpoint(server.base_url, "mock"), ServerFacts(), probe(passes=(1, 5)), request_timeout_s=10)
        count = len(BUILT_IN)
        assert max(truth.load for truth in server.truth[:count]) == 1
        assert max(truth.load for truth in server.truth[count:]) == 5


async def test_a_server_that_gives_none_is_asked_for_its_text() -> None:
    (found,) = await asked(MockOptions(**QUICK, logprobs=False), probe())
    assert all(answer is not None and answer.text and not answer.tokens for answer in found.answers)


async def test_a_server_that_refuses_the_wish_is_asked_without_it() -> None:
    (found,) = await asked(MockOptions(**QUICK), probe(top=6))  # more than it gives
    assert all(answer is not None and answer.text and not answer.tokens for answer in found.answers)
    assert found.error is None


async def test_a_server_that_does_not_answer_is_given_up_early() -> None:
    async with MockServer(MockOptions(**QUICK, fault=Fault.ERROR_500)) as server:
        (found,) = await ask_all(
            Endpoint(server.base_url, "mock"), ServerFacts(), probe(passes=BASELINE_PASSES), request_timeout_s=10
        )
        assert len(server.truth) == TRIES * HOPELESS  # one at a time
    assert found.answers == (None,) * len(BUILT_IN)
    assert found.error is not None
    assert found.error.startswith("HTTP 500")


async def test_a_passing_fault_is_tried_again() -> None:
    (found,) = await asked(MockOptions(**QUICK, fault=Fault.RESET, fault_every=5), probe())
    assert sum(answer is None for answer in found.answers) <= 1


async def test_a_server_that_hangs_is_left_after_the_budget() -> None:
    found = await asked(MockOptions(**QUICK, fault=Fault.HANG_BEFORE), probe(budget_s=0.2))
    assert found[-1].answers == (None,) * len(BUILT_IN)
    assert found[-1].error == "the prompts were not answered within 0.2 s"


async def test_prompts_that_are_gone_are_said(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text('{"prompt": "a"}\n{"prompt": "b"}\n')
    described = describe_prompts(str(file))
    file.write_text("gone")
    (found,) = await asked(MockOptions(**QUICK), QualityProbe(prompts=described))
    assert found.answers == (None, None)
    assert found.error is not None
    assert "cannot be used" in found.error


@pytest.mark.parametrize(
    ("degraded", "noise", "differs"),
    [(0.0, 0.0, False), (0.0, 0.01, False), (0.1, 0.0, True), (0.5, 0.0, True), (1.0, 0.01, True)],
)
async def test_degraded_answers_are_told_from_noise(degraded: float, noise: float, differs: bool) -> None:
    baseline = calibrate(await asked(MockOptions(**QUICK, logprob_noise=noise), probe(passes=BASELINE_PASSES)))
    (found,) = await asked(MockOptions(**QUICK, degraded=degraded, logprob_noise=noise), probe())
    assert judge_answers(baseline, found).differs is differs
