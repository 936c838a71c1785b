"""The block ``quality``: whether a configuration's answers are as good as the baseline's."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from autotuner.config.block import Block
from autotuner.config.problems import refuse


class QualityLimit(Block):
    """What is tolerated. A configuration beyond it cannot win. A number alone is an agreement."""

    agreement: float | None = Field(
        None,
        gt=0,
        le=1,
        description="least share of the answers' tokens up to the first one that differs from the baseline's, 0 to 1",
    )
    distance: float | None = Field(
        None, gt=0, description="greatest mean difference of log-probabilities to the baseline's, nats", examples=[0.1]
    )


def _limit(given: object) -> object:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return {"agreement": given}
    if isinstance(given, dict) and all(value is None for value in given.values()):
        raise refuse("it limits nothing", "Give it agreement or distance, or leave it out")
    if given is not None and not isinstance(given, dict | QualityLimit):
        raise refuse("it is neither a number nor a block", "Write it like 0.95, or like {distance: 0.1}")
    return given


class Quality(Block):
    """The quality guard: answers are compared with the baseline's, for settings that may make them worse."""

    enabled: bool | None = Field(
        None,
        description="whether answers are compared; default: when a searched parameter or model may change them, or a "
        "limit is given",
    )
    prompts: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="file that ends with .jsonl and has the key prompt in each line; default: 32 built-in prompts",
        examples=["prompts.jsonl"],
    )
    limit: Annotated[
        QualityLimit | None, BeforeValidator(_limit, json_schema_input_type=float | QualityLimit | None)
    ] = Field(
        None,
        description="what is tolerated, a number alone is an agreement, 0 to 1; default: nothing is ruled out, what "
        "differs is labelled",
        examples=[0.95, {"distance": 0.1}],
    )
