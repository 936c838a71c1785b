"""Whether the objective minimize_energy can be scored here at all."""

from __future__ import annotations

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.planning.plan import Plan
from autotuner.telemetry.nvml import LIBRARY, Nvml

OBJECTIVE = "minimize_energy"


def check_energy(plan: Plan) -> None:
    """AutotunerError(UNSUPPORTED) when the energy of a start is asked for and can never be measured.

    Whether each GPU tells its power shows only when it is used; the first start without it ends the task.
    """
    if OBJECTIVE not in plan.document.optimization.objectives:
        return
    if plan.predicted:
        raise _refused("these figures are predictions, which tell nothing of energy", "Use an engine that is started")
    nvml = Nvml.open()
    if nvml is None:
        raise _refused(
            f"energy is read from NVIDIA GPUs of this host by {LIBRARY}, and there is none here",
            "Run it on a host with such a GPU (`autotuner doctor` names them)",
        )
    nvml.close()


def _refused(why: str, remedy: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.UNSUPPORTED,
        f"the objective {OBJECTIVE} needs the energy of GPUs, which cannot be measured here",
        why=why,
        remedy=f"{remedy}, or choose another objective",
        place="optimization.objective",
    )
