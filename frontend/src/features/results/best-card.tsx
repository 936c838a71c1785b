import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { experimentQuery } from "@/api/experiment";
import type { Experiment, MetricName, TaskResult } from "@/api/results";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { GpuTable } from "@/features/experiment/gpu-table";
import { chosenOf, shownMetrics, titleOf } from "@/features/results/shaping";
import { SloGauges } from "@/features/results/slo-badges";
import { gain } from "@/format/figures";
import { parameterName, parameterValue } from "@/format/parameters";
import { withUnit } from "@/format/units";

/** The best configuration, or the nearest: what it sets otherwise than the baseline, its figures, its SLOs. */
export function BestCard({ result, names }: { result: TaskResult; names: readonly MetricName[] }) {
  const chosen = chosenOf(result);
  if (!chosen) return null;
  const { experiment, name } = chosen;
  const isBaseline = experiment.number === result.baseline?.number;
  const title = isBaseline
    ? `The baseline stays: ${titleOf(result, experiment.number)}`
    : capital(`${name} ${titleOf(result, experiment.number)}`);
  const worst = result.gain?.experiment === experiment.number ? result.gain.worst_slo : undefined;
  return (
    <Panel
      title={title}
      actions={
        <>
          {result.predicted && <Badge tone="warn">predicted</Badge>}
          <Button asChild size="small">
            <Link to="/experiments/$experimentId" params={{ experimentId: String(experiment.id) }}>
              All about it
            </Link>
          </Button>
        </>
      }
    >
      <div className="grid gap-x-10 gap-y-6 lg:grid-cols-2">
        <div className="min-w-0">
          <h3 className="mb-1.5">{isBaseline ? "Parameters" : "What it sets otherwise than the baseline"}</h3>
          <Differences result={result} experiment={experiment} name={name} isBaseline={isBaseline} />
          {result.verdict !== "infeasible" && <h3 className="mt-6 mb-2">SLOs</h3>}
          {result.verdict !== "infeasible" && (
            <SloGauges
              lines={worst?.length ? worst : (experiment.slo ?? [])}
              {...(worst?.length && { over: "At their worst over all starts of the confirmation" })}
            />
          )}
        </div>
        <div className="min-w-0">
          <h3 className="mb-1.5">Figures of its start in the search</h3>
          <Figures result={result} experiment={experiment} names={names} isBaseline={isBaseline} />
          <Gpus id={experiment.id} />
        </div>
      </div>
    </Panel>
  );
}

interface PartProps {
  result: TaskResult;
  experiment: Experiment;
  isBaseline: boolean;
}

function Differences({ result, experiment, name, isBaseline }: PartProps & { name: string }) {
  const base = result.comparisons?.find((one) => one.experiment === experiment.number && one.other_is === "baseline");
  const rows = Object.entries(
    Object.keys(result.differences ?? {}).length ? (result.differences ?? {}) : (base?.parameters ?? {}),
  );
  if (isBaseline || rows.length === 0) {
    return <ParameterList parameters={experiment.parameters} />;
  }
  return (
    <table className="w-full text-sm">
      <thead className="text-left text-[13px] text-ink-soft">
        <tr>
          <th className="py-1 pr-3 font-medium">parameter</th>
          <th className="py-1 pr-3 font-medium">baseline</th>
          <th className="py-1 font-medium">{name}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([parameter, [before, after]]) => (
          <tr key={parameter} className="border-t border-line">
            <th scope="row" className="py-1.5 pr-3 text-left font-mono text-[13px] font-normal break-words">
              {parameterName(parameter)}
            </th>
            <td className="py-1.5 pr-3 text-ink-soft">{parameterValue(before)}</td>
            <td className="py-1.5 font-semibold">{parameterValue(after)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Parameters and their values, a line each. */
export function ParameterList({ parameters }: { parameters: Readonly<Record<string, unknown>> }) {
  const rows = Object.entries(parameters);
  if (rows.length === 0) return <p className="text-sm text-ink-soft">Everything is left to the engine.</p>;
  return (
    <table className="w-full text-sm">
      <tbody>
        {rows.map(([name, value]) => (
          <tr key={name} className="border-t border-line first:border-0">
            <th scope="row" className="py-1.5 pr-3 text-left font-mono text-[13px] font-normal break-words">
              {parameterName(name)}
            </th>
            <td className="py-1.5">{parameterValue(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Figures({ result, experiment, names, isBaseline }: PartProps & { names: readonly MetricName[] }) {
  const baseline = isBaseline ? undefined : result.baseline;
  const compared = result.comparisons?.find(
    (one) => one.experiment === experiment.number && one.other_is === "baseline",
  );
  const basis = compared ? result.words.comparisons?.[result.comparisons?.indexOf(compared) ?? -1] : undefined;
  const shown = shownMetrics([experiment], names).filter((name) => !name.of_server);
  return (
    <div className="overflow-x-auto">
      <table className="w-full text-sm">
        <thead className="text-[13px] text-ink-soft">
          <tr>
            <th className="py-1 pr-3 text-left font-medium">figure</th>
            <th className="py-1 pr-3 text-right font-medium">own</th>
            {baseline && <th className="py-1 pr-3 text-right font-medium max-sm:hidden">baseline</th>}
            {compared && <th className="py-1 text-right font-medium">change</th>}
          </tr>
        </thead>
        <tbody className="figures">
          {shown.map((name) => {
            const change = compared?.metrics?.find((metric) => metric.metric === name.name);
            return (
              <tr key={name.name} className="border-t border-line">
                <th scope="row" className="py-1 pr-3 text-left font-normal">
                  {name.label}
                </th>
                <td className="py-1 pr-3 text-right font-medium whitespace-nowrap">
                  {withUnit(change?.own ?? numberAt(experiment, name.name), name.unit)}
                </td>
                {baseline && (
                  <td className="py-1 pr-3 text-right whitespace-nowrap text-ink-soft max-sm:hidden">
                    {withUnit(change?.other ?? numberAt(baseline, name.name), name.unit)}
                  </td>
                )}
                {compared && (
                  <td
                    className="py-1 text-right whitespace-nowrap"
                    title={change?.low != null ? `${gain(change.low)} to ${gain(change.high)}` : undefined}
                  >
                    {change ? gain(change.change) : "–"}
                    {change?.clear === false && <span className="text-ink-soft"> (noise)</span>}
                  </td>
                )}
              </tr>
            );
          })}
        </tbody>
      </table>
      {basis && <p className="mt-1.5 text-xs text-ink-soft">Differences {basis}.</p>}
    </div>
  );
}

function numberAt(experiment: Experiment, name: string): number | null {
  const value = experiment.metrics?.[name];
  return typeof value === "number" ? value : null;
}

function Gpus({ id }: { id: number }) {
  const { data } = useQuery(experimentQuery(id));
  if (!data?.gpu_info?.length) return null;
  return (
    <>
      <h3 className="mt-5 mb-1.5">GPUs</h3>
      <GpuTable gpus={data.gpu_info} />
    </>
  );
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
