import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Schema } from "@/api/client";
import { type TaskPlan, taskPlanQuery } from "@/api/tasks";
import { QueryStates } from "@/components/states/states";
import { Badge } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { Fact, Facts } from "@/features/task/facts";
import { OriginBadge } from "@/features/task-configuration/origin-badge";
import { valueText } from "@/features/task-configuration/provenance";
import { duration, figure } from "@/format/figures";

/** What the task would do on this host, as the planner says. */
export function PlanView({ taskId }: { taskId: number }) {
  const plan = useQuery(taskPlanQuery(taskId));
  return (
    <Panel title="Plan">
      <QueryStates query={plan} lines={6}>
        {(shown) => (
          <div className="grid gap-5">
            {shown.warnings.length > 0 && (
              <ul className="grid gap-1 rounded-md border border-warn/40 bg-warn-soft px-4 py-2.5 text-sm">
                {shown.warnings.map((sentence) => (
                  <li key={sentence}>
                    <span className="font-medium text-warn">Warning:</span> {sentence}
                  </li>
                ))}
              </ul>
            )}
            <div className="grid gap-6 lg:grid-cols-2">
              <What plan={shown} />
              <HowLong plan={shown} />
            </div>
            <PlannedParameters parameters={shown.parameters} />
          </div>
        )}
      </QueryStates>
    </Panel>
  );
}

function Figures({ children }: { children: ReactNode }) {
  return <span className="figures">{children}</span>;
}

function What({ plan }: { plan: TaskPlan }) {
  const { counts, runs } = plan;
  const excluded = Object.entries(counts.excluded);
  return (
    <Facts>
      <Fact name="Objective">
        {plan.objective_label}
        {plan.unit && `, ${plan.unit}`}
      </Fact>
      <Fact name="Engine">
        {plan.engine} {plan.engine_version ?? "(cannot be started here)"}{" "}
        {plan.predicted && <Badge tone="warn">Predicted figures</Badge>}
      </Fact>
      <Fact name="Hardware">{plan.hardware}</Fact>
      <Fact name="Client">{plan.client}</Fact>
      <Fact name="Strategy">{plan.strategy}</Fact>
      <Fact name="Configurations">
        {counts.distinct !== null && (
          <Figures>
            {figure(counts.distinct)} distinct{!counts.exact && " (an estimate)"}
            {counts.combinations !== null && ` of ${figure(counts.combinations)} combinations`}
          </Figures>
        )}
      </Fact>
      {excluded.length > 0 && (
        <Fact name="Excluded">
          <ul>
            {excluded.map(([reason, count]) => (
              <li key={reason}>
                <Figures>{figure(count)}</Figures>: {reason}
              </li>
            ))}
          </ul>
        </Fact>
      )}
      <Fact name="Measured">
        <Figures>
          {[
            runs.baseline && "the baseline",
            runs.references.length > 0 && `${runs.references.length} references`,
            `up to ${figure(runs.searched)} searched`,
            `${figure(runs.finalists)} finalists confirmed`,
          ]
            .filter(Boolean)
            .join(", ")}
        </Figures>
      </Fact>
    </Facts>
  );
}

function HowLong({ plan }: { plan: TaskPlan }) {
  return (
    <Facts>
      <Fact name="Server starts">
        <Figures>
          {figure(plan.runs.starts)}
          {plan.runs.most_starts > plan.runs.starts && ` to ${figure(plan.runs.most_starts)}`}
        </Figures>
      </Fact>
      <Fact name="Estimated time">
        <Figures>
          {duration(plan.estimate_s)}
          {plan.most_s > plan.estimate_s && ` to ${duration(plan.most_s)}`}
        </Figures>
      </Fact>
      <Fact name="GPUs of a server">
        {plan.gpus == null ? null : <Figures>{[...new Set(plan.gpus)].map(figure).join(" to ")}</Figures>}
      </Fact>
      <Fact name="Estimated price">
        {plan.price == null ? null : (
          <Figures>
            {[...new Set(plan.price)].map(figure).join(" to ")}, in the currency of the price per GPU hour
          </Figures>
        )}
      </Fact>
      <Fact name="Limit">{plan.wall_clock_s === null ? null : <Figures>{duration(plan.wall_clock_s)}</Figures>}</Fact>
      <Fact name="Load points">{plan.load_points.join(", ")}</Fact>
      <Fact name="Scored at">{plan.scored_at.join(", ")}</Fact>
      <Fact name="One measurement">
        <Figures>
          at most {duration(plan.window_s)}
          {plan.repeats > 1 && `, ${plan.repeats} times`}
        </Figures>
      </Fact>
      <Fact name="SLOs">{plan.slo_sentences.join("; ")}</Fact>
      <Fact name="Quality guard">{plan.quality_reason}</Fact>
    </Facts>
  );
}

function PlannedParameters({ parameters }: { parameters: readonly Schema<"PlannedParameter">[] }) {
  const own = parameters.filter(({ layer }) => layer !== "engine default");
  const usual = parameters.filter(({ layer }) => layer === "engine default");
  return (
    <section aria-label="Parameters of the engine" className="grid gap-2">
      <h3>Parameters of the engine</h3>
      <ParameterTable rows={own} />
      {usual.length > 0 && (
        <details>
          <summary className="cursor-pointer text-sm text-accent">
            {usual.length.toLocaleString("en-US")} more stay as the engine has them
          </summary>
          <ParameterTable rows={usual} />
        </details>
      )}
    </section>
  );
}

function ParameterTable({ rows }: { rows: readonly Schema<"PlannedParameter">[] }) {
  return (
    <div className="overflow-x-auto">
      <table className="w-full text-sm">
        <thead>
          <tr className="text-left text-xs text-ink-soft">
            <th scope="col" className="py-1 pr-3 font-medium">
              Name
            </th>
            <th scope="col" className="px-2 py-1 font-medium">
              Value
            </th>
            <th scope="col" className="px-2 py-1 font-medium">
              Engine's default
            </th>
            <th scope="col" className="py-1 pl-2 text-right font-medium">
              Where it comes from
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, value, default: usual, layer, origin }) => (
            <tr key={name} className="border-t border-line align-baseline">
              <th scope="row" className="py-1 pr-3 text-left font-mono text-[13px] font-normal">
                {name}
              </th>
              <td className="figures px-2 py-1 font-mono text-[13px] [overflow-wrap:anywhere]">{valueText(value)}</td>
              <td className="figures px-2 py-1 font-mono text-[13px] text-ink-soft">
                {usual === null ? "it decides" : valueText(usual)}
              </td>
              <td className="py-1 pl-2 text-right">
                {layer === "derived" ? (
                  <span className="text-xs text-ink-soft">{origin}</span>
                ) : layer === "engine default" ? (
                  <Badge>Engine default</Badge>
                ) : (
                  <OriginBadge value={{ layer, presets: [] }} />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
