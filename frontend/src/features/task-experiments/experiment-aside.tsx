import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { X } from "lucide-react";
import type { Schema } from "@/api/client";
import { type ExperimentDetails, experimentQuery } from "@/api/experiment";
import { QueryStates } from "@/components/states/states";
import { ExperimentStatusBadge } from "@/components/status/status-badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { streamFor } from "@/features/log/search";
import { Fact, Facts } from "@/features/task/facts";
import { PhaseBar } from "@/features/task-experiments/phase-bar";
import { duration } from "@/format/figures";
import { parameterName, parameterValue } from "@/format/parameters";
import { phaseName, reasonName } from "@/format/phases";

/** The server starts of one experiment: how long each phase took, why it failed. */
export function ExperimentAside({ id, onClose }: { id: number; onClose: () => void }) {
  const experiment = useQuery(experimentQuery(id));
  const number = experiment.data?.experiment_id;
  return (
    <Panel
      title={number === undefined ? "Experiment" : number === 0 ? "Baseline" : `Experiment ${number}`}
      actions={
        <>
          <Button asChild size="small">
            <Link to="/experiments/$experimentId" params={{ experimentId: String(id) }}>
              Open in full
            </Link>
          </Button>
          <Button look="quiet" size="icon" aria-label="Close the details" onClick={onClose}>
            <X size={16} aria-hidden />
          </Button>
        </>
      }
    >
      <QueryStates query={experiment}>
        {(shown) => (
          <div className="grid gap-5">
            <Parameters of={shown.parameters} />
            {shown.error && <FailureText failure={shown.error} />}
            <Starts shown={shown} />
          </div>
        )}
      </QueryStates>
    </Panel>
  );
}

function Parameters({ of: given }: { of: ExperimentDetails["parameters"] }) {
  const rows = Object.entries(given);
  if (rows.length === 0) return <p className="text-sm">The engine's own settings.</p>;
  return (
    <Facts>
      {rows.map(([name, value]) => (
        <Fact key={name} name={parameterName(name)}>
          <span className="figures font-mono text-[13px]">{parameterValue(value)}</span>
        </Fact>
      ))}
    </Facts>
  );
}

/** Why a server start has no usable figures. */
export function FailureText({ failure }: { failure: Schema<"Failure"> }) {
  return (
    <div className="grid gap-1 rounded-md border border-bad/40 bg-bad-soft px-3 py-2 text-sm">
      <p className="font-semibold text-bad">{failure.diagnosis}</p>
      {failure.hint && <p>What to do: {failure.hint}</p>}
      <p className="text-xs text-ink-soft">
        {failure.kind.replaceAll("_", " ")}
        {failure.phase && ` in the phase ${phaseName(failure.phase).toLowerCase()}`}
        {failure.certain && "; another start would only repeat it"}
      </p>
      {failure.log_tail && (
        <pre className="max-h-48 overflow-auto rounded bg-surface p-2 text-xs whitespace-pre-wrap">
          {failure.log_tail}
        </pre>
      )}
    </div>
  );
}

function Starts({ shown }: { shown: ExperimentDetails }) {
  if (shown.attempts.length === 0) return <p className="text-sm text-ink-soft">No server was started for it yet.</p>;
  return (
    <ol className="grid gap-4">
      {shown.attempts.map((attempt) => {
        const whole = Object.values(attempt.phase_seconds ?? {}).reduce((sum, took) => sum + took, 0);
        return (
          <li key={attempt.id} className="grid gap-1.5">
            <p className="flex flex-wrap items-center gap-2 text-sm">
              <span className="font-medium">Start {attempt.number}</span>
              <span className="text-ink-soft">
                {reasonName(attempt.reason)}
                {attempt.block != null && `, round ${attempt.block + 1}`}
              </span>
              {attempt.status === "interrupted" ? (
                <span className="text-warn">Interrupted</span>
              ) : (
                <ExperimentStatusBadge status={attempt.status} />
              )}
              <span className="figures ml-auto text-ink-soft">{duration(whole)}</span>
            </p>
            <PhaseBar seconds={attempt.phase_seconds ?? {}} />
            <Link
              to="/tasks/$taskId/log"
              params={{ taskId: String(shown.task_id) }}
              search={{ stream: streamFor(shown.experiment_id, attempt.number) }}
              className="justify-self-start text-sm text-accent underline underline-offset-2"
            >
              Log of this start
            </Link>
            {attempt.error && attempt.error.diagnosis !== shown.error?.diagnosis && (
              <FailureText failure={attempt.error} />
            )}
          </li>
        );
      })}
    </ol>
  );
}
