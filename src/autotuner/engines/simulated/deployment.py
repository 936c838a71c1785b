"""The deployment ``simulated``: starts nothing; a configuration that would not start fails as it would."""

from __future__ import annotations

from pydantic import ValidationError

from autotuner.contracts.attempt import AttemptJob, Failure, FailureClass, Handle
from autotuner.contracts.deployment import DeploymentError, DeploymentStats, Endpoint, OnHandle
from autotuner.engines.simulated.prediction import Prediction


class SimulatedDeployment:
    """Pretends to start a server, in no time. All it knows is in the handle; ``startup_s`` there is pretended."""

    name = "simulated"

    async def start(self, job: AttemptJob, on_handle: OnHandle) -> Handle:
        """Store the handle. DeploymentError when the job holds no prediction."""
        prediction = job_prediction(job)
        if isinstance(prediction, Failure):
            raise DeploymentError(prediction)
        failure = prediction.failure
        handle = Handle(
            deployment=self.name,
            fields={
                "attempt": job.attempt_id,
                "model": job.served_name,
                "surface": prediction.surface,
                "gpus": prediction.gpus,
                "startup_s": prediction.startup_s,
                "failure": failure.model_dump_json() if failure else None,
            },
        )
        await on_handle(handle)
        return handle

    async def wait_ready(self, handle: Handle, timeout_s: float) -> Endpoint:
        """Ready at once. DeploymentError for a predicted failure, or when the pretended start takes too long."""
        failure = await self.failure(handle)
        if failure is None and _startup(handle) > timeout_s:
            failure = Failure(
                kind=FailureClass.START_TIMEOUT,
                diagnosis=f"simulated: the start takes {_startup(handle):g} s, the limit is {timeout_s:g} s",
                hint="allow more time for the start or lower simulation.startup_s",
            )
        if failure is not None:
            raise DeploymentError(failure)
        return Endpoint(base_url=f"simulated:{handle.fields['surface']}", model=str(handle.fields["model"]))

    async def failure(self, handle: Handle) -> Failure | None:
        """The predicted failure, if any."""
        stored = handle.fields.get("failure")
        return Failure.model_validate_json(stored) if isinstance(stored, str) else None

    async def log_tail(self, handle: Handle, max_bytes: int = 4096) -> str:
        """Empty: there is no server that could write a log."""
        return ""

    async def stats(self, handle: Handle) -> DeploymentStats:
        """Unknown."""
        return DeploymentStats()

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """Nothing runs, so nothing is to be stopped."""

    async def clean(self, handle: Handle) -> bool:
        """False: nothing was started."""
        return False


def job_prediction(job: AttemptJob) -> Prediction | Failure:
    """The prediction that the engine put into the job, or why there is none."""
    try:
        return Prediction.model_validate(job.options)
    except ValidationError as error:
        return Failure(
            kind=FailureClass.BAD_ARGUMENT,
            diagnosis=f"the job holds no usable prediction: {error.errors()[0]['msg']}",
            hint="the simulated deployment and client work with the engine simulated only",
        )


def _startup(handle: Handle) -> float:
    stored = handle.fields.get("startup_s")
    return float(stored) if isinstance(stored, int | float) else 0.0
