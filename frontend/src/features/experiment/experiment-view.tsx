import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import { toast } from "sonner";
import { type ExperimentDetails, experimentQuery, retryExperiment } from "@/api/experiment";
import { keys } from "@/api/keys";
import type { Experiment, MetricName, TaskResult } from "@/api/results";
import { metricNamesQuery, resultQuery } from "@/api/results";
import { PageHead } from "@/components/layout/page-head";
import { QueryStates } from "@/components/states/states";
import { ExperimentStatusBadge } from "@/components/status/status-badge";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Artefacts } from "@/features/experiment/artefacts";
import { Attempts } from "@/features/experiment/attempts";
import { GpuTable } from "@/features/experiment/gpu-table";
import { Parameters } from "@/features/experiment/parameters";
import { Reproduce } from "@/features/experiment/reproduce";
import { SloBadge, SloGauges } from "@/features/results/slo-badges";
import { duration, gain } from "@/format/figures";
import { withUnit } from "@/format/units";

/** Everything about one experiment. */
export function ExperimentView({ id }: { id: number }) {
  const query = useQuery(experimentQuery(id));
  return <QueryStates query={query}>{(experiment) => <Details experiment={experiment} />}</QueryStates>;
}

function Details({ experiment }: { experiment: ExperimentDetails }) {
  const names = useQuery(metricNamesQuery);
  // What it is compared with, and where its values come from. The page stands without it.
  const { data: result } = useQuery(resultQuery(experiment.task_id));
  const summary = result?.experiments?.find((one) => one.id === experiment.id);
  const words = result?.words.experiments[experiment.experiment_id];
  return (
    <>
      <PageHead
        title={`Experiment ${words?.title ?? `#${experiment.experiment_id}`}`}
        lead={
          <span className="flex flex-wrap items-center gap-2">
            <ExperimentStatusBadge status={experiment.status} />
            {result?.predicted && <Badge tone="warn">predicted</Badge>}
            <span>
              of the task{" "}
              <Link
                to="/tasks/$taskId"
                params={{ taskId: String(experiment.task_id) }}
                className="text-accent underline"
              >
                {result?.task_name ?? experiment.task_id}
              </Link>
            </span>
            <span>asked for by {ORIGINS[experiment.origin] ?? experiment.origin}</span>
          </span>
        }
        actions={<Actions experiment={experiment} {...(result && { result })} />}
      />
      <div className="grid gap-5">
        {experiment.error && <Failure experiment={experiment} />}
        <div className="grid items-start gap-5 lg:grid-cols-2">
          <Panel title="Score and SLOs">
            <Score experiment={experiment} {...(words && { words })} {...(summary && { summary })} />
          </Panel>
          <Panel title="Parameters">
            <Parameters experiment={experiment} {...(result && { result })} />
          </Panel>
        </div>
        <div className="grid items-start gap-5 lg:grid-cols-2">
          <Panel title="Metrics" flush>
            <Metrics experiment={experiment} names={names.data ?? []} {...(result && { result })} />
          </Panel>
          <div className="grid gap-5">
            <Panel title="Time by phase">
              <Phases seconds={experiment.phase_seconds ?? {}} />
            </Panel>
            {(experiment.gpu_info ?? []).length > 0 && (
              <Panel title="GPUs">
                <GpuTable gpus={experiment.gpu_info ?? []} />
              </Panel>
            )}
            <Panel title="Files" flush>
              <Artefacts id={experiment.id} />
            </Panel>
          </div>
        </div>
        <Panel title="Server starts" flush>
          <Attempts experiment={experiment} />
        </Panel>
        {(experiment.attempts ?? []).length > 0 && <Reproduce id={experiment.id} />}
      </div>
    </>
  );
}

const ORIGINS: Record<string, string> = {
  baseline: "the task, as its baseline",
  reference: "the document, as a reference",
  search: "the search",
};

function Actions({ experiment, result }: { experiment: ExperimentDetails; result?: TaskResult }) {
  const queryClient = useQueryClient();
  const retry = useMutation({
    mutationFn: () => retryExperiment(experiment.id),
    onSuccess: (changed) => {
      queryClient.setQueryData(experimentQuery(experiment.id).queryKey, changed);
      void queryClient.invalidateQueries({ queryKey: keys.task(experiment.task_id) });
      toast.success("It is open again. The task's process measures it next.");
    },
    onError: (error) => toast.error(error.message),
  });
  const others = [result?.baseline?.id, result?.winner?.id ?? result?.nearest?.id].filter(
    (id): id is number => id !== undefined && id !== experiment.id,
  );
  return (
    <>
      {others.length > 0 && (
        <Button asChild>
          <Link to="/compare" search={{ ids: [...new Set([experiment.id, ...others])].join(",") }}>
            Compare with baseline and best
          </Link>
        </Button>
      )}
      {experiment.status === "failed" && (
        <Button busy={retry.isPending} onClick={() => retry.mutate()}>
          <RotateCcw size={15} aria-hidden /> Try again
        </Button>
      )}
    </>
  );
}

function Failure({ experiment }: { experiment: ExperimentDetails }) {
  const error = experiment.error;
  if (!error) return null;
  return (
    <section
      aria-label="Why it has no figures"
      className="rounded-lg border border-bad/40 bg-bad-soft px-4 py-3 text-sm"
    >
      <p className="font-semibold text-bad">
        {error.kind.replaceAll("_", " ")}
        {error.phase && ` in the phase ${error.phase.replaceAll("_", " ")}`}
      </p>
      <p className="mt-1 break-words">{error.diagnosis}</p>
      {error.hint && <p className="mt-1">What to do: {error.hint}</p>}
      {error.log_tail && (
        <pre className="mt-2 max-h-60 overflow-auto rounded bg-surface p-2 font-mono text-xs whitespace-pre-wrap">
          {error.log_tail}
        </pre>
      )}
    </section>
  );
}

interface ScoreProps {
  experiment: ExperimentDetails;
  words?: TaskResult["words"]["experiments"][string];
  summary?: Experiment;
}

function Score({ experiment, words, summary }: ScoreProps) {
  return (
    <div className="grid gap-4">
      <dl className="flex flex-wrap gap-x-9 gap-y-3">
        <div>
          <dt className="text-[13px] text-ink-soft">score</dt>
          <dd className="figures text-xl font-semibold">
            {withUnit(experiment.objective_score, experiment.unit ?? "")}
          </dd>
        </div>
        {typeof words?.gain === "number" && (
          <div>
            <dt className="text-[13px] text-ink-soft">against the baseline, one start each</dt>
            <dd className="figures text-xl font-semibold">{gain(words.gain)}</dd>
          </div>
        )}
        {words && (
          <div>
            <dt className="text-[13px] text-ink-soft">SLO</dt>
            <dd className="mt-1">
              <SloBadge word={words.slo} eligible={summary?.eligible ?? false} />
            </dd>
          </div>
        )}
      </dl>
      {summary?.slo_reason && <p className="text-sm">{summary.slo_reason}.</p>}
      {words?.ended_early && <p className="text-sm text-ink-soft">Ended early: {words.ended_early}.</p>}
      {words?.load && <p className="text-sm">Highest load: {words.load}.</p>}
      {summary && <SloGauges lines={summary.slo ?? []} />}
    </div>
  );
}

interface MetricsProps {
  experiment: ExperimentDetails;
  names: readonly MetricName[];
  result?: TaskResult;
}

function Metrics({ experiment, names, result }: MetricsProps) {
  const of = (metrics: Readonly<Record<string, unknown>> | null | undefined, name: string) => {
    const value = metrics?.[name];
    return typeof value === "number" ? value : null;
  };
  const shown = names.filter((name) => of(experiment.metrics, name.name) !== null);
  if (shown.length === 0) return <p className="px-4 pb-4 text-sm text-ink-soft">Nothing was measured.</p>;
  const baseline = result?.baseline && result.baseline.id !== experiment.id ? result.baseline : null;
  return (
    <table className="w-full text-sm">
      <thead className="text-[13px] text-ink-soft">
        <tr>
          <th className="px-4 py-1 text-left font-medium">figure</th>
          <th className="px-4 py-1 text-right font-medium">own</th>
          {baseline && <th className="px-4 py-1 text-right font-medium">baseline</th>}
        </tr>
      </thead>
      <tbody className="figures">
        {shown.map((name) => (
          <tr key={name.name} className="border-t border-line">
            <th scope="row" className="px-4 py-1 text-left font-normal">
              {name.label}
            </th>
            <td className="px-4 py-1 text-right font-medium">
              {withUnit(of(experiment.metrics, name.name), name.unit)}
            </td>
            {baseline && (
              <td className="px-4 py-1 text-right text-ink-soft">
                {withUnit(of(baseline.metrics, name.name), name.unit)}
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const PHASE_TONES = ["bg-plot-7", "bg-plot-4", "bg-plot-2", "bg-plot-3", "bg-plot-5", "bg-plot-1", "bg-plot-6"];

/** The phases of its own start as one bar, and in figures. */
function Phases({ seconds }: { seconds: Readonly<Record<string, number>> }) {
  const phases = Object.entries(seconds).filter(([, value]) => value > 0);
  const all = phases.reduce((sum, [, value]) => sum + value, 0);
  if (all === 0) return <p className="text-sm text-ink-soft">It has not been started.</p>;
  return (
    <>
      <div aria-hidden className="flex h-4 gap-px overflow-hidden rounded-sm">
        {phases.map(([phase, value], at) => (
          <span
            key={phase}
            className={PHASE_TONES[at % PHASE_TONES.length]}
            style={{ width: `${(value / all) * 100}%` }}
          />
        ))}
      </div>
      <ul className="mt-2 flex flex-wrap gap-x-5 gap-y-1 text-sm">
        {phases.map(([phase, value], at) => (
          <li key={phase} className="flex items-center gap-1.5">
            <span aria-hidden className={`size-2.5 rounded-[2px] ${PHASE_TONES[at % PHASE_TONES.length]}`} />
            {phase.replaceAll("_", " ")} <span className="figures font-medium">{duration(value)}</span>
          </li>
        ))}
        <li className="text-ink-soft">
          all <span className="figures">{duration(all)}</span>
        </li>
      </ul>
    </>
  );
}
