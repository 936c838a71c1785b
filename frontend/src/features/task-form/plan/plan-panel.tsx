import type { ReactNode } from "react";
import type { Schema } from "@/api/client";
import { Failed } from "@/components/states/states";
import { Badge } from "@/components/ui/badge";
import { cx } from "@/components/ui/class-names";
import { sentence } from "@/features/task-form/fields/document-field";
import { between, counted, experiments, gpusOf, timeOf } from "@/features/task-form/plan/headline";
import type { PlanState } from "@/features/task-form/plan/use-plan";
import { duration, figure } from "@/format/figures";

/** What the task would do, in the planner's figures and words. */
export function PlanPanel({ state, readable }: { state: PlanState; readable: boolean }) {
  const { plan, stale, asking, faults, error } = state;
  return (
    <section aria-label="Plan" aria-busy={asking} className="rounded-lg border border-line bg-surface px-4 py-3">
      <header className="mb-2 flex items-center justify-between gap-2">
        <h2>Plan</h2>
        <span role="status" className="text-xs text-ink-soft">
          {!readable ? "The YAML cannot be read" : asking ? "Planning" : faults.length ? "Not possible yet" : ""}
        </span>
      </header>
      {error && <Failed error={error} />}
      {faults.length > 0 && (
        <ul className="mb-2 grid gap-1.5 rounded-md bg-bad-soft px-3 py-2 text-sm">
          {faults.map((fault) => (
            <li key={`${fault.place} ${fault.detail}`}>
              {fault.place && <span className="font-mono text-[13px] font-medium">{fault.place}: </span>}
              {fault.detail}. <span className="text-ink-soft">{fault.remedy}</span>
            </li>
          ))}
        </ul>
      )}
      {plan && (
        <div className={cx("grid gap-2", stale && !asking && "opacity-60")}>
          <Figures plan={plan} />
          <Notices plan={plan} />
        </div>
      )}
    </section>
  );
}

function Figures({ plan }: { plan: Schema<"PlanSummary"> }) {
  const { runs, counts } = plan;
  const gpus = gpusOf(plan);
  const memory = [...new Set(plan.commands.flatMap((command) => command.remarks ?? []))];
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
      <Row name="Experiments">
        {counted(experiments(plan), "experiment")}
        <Soft>
          {[
            runs.baseline && "the baseline",
            runs.references.length && counted(runs.references.length, "reference"),
            `${runs.searched} searched`,
            counts.distinct != null && `of ${counts.exact ? "" : "about "}${figure(counts.distinct)}`,
          ]
            .filter(Boolean)
            .join(", ")
            .replace(", of", " of")}
        </Soft>
      </Row>
      <Row name="Server starts">
        {between(runs.starts, runs.most_starts, String)}
        {runs.finalists > 0 && <Soft>with {counted(runs.finalists, "finalist")} confirmed</Soft>}
      </Row>
      <Row name="Time">
        {plan.predicted ? <Badge tone="warn">predicted: nothing is started</Badge> : `about ${timeOf(plan)}`}
        {plan.wall_clock_s != null && <Soft>limit {duration(plan.wall_clock_s)}</Soft>}
      </Row>
      {gpus && <Row name="GPUs of a server">{gpus}</Row>}
      {plan.price && <Row name="Price">{between(plan.price[0], plan.price[1], figure)}</Row>}
      {plan.hardware && <Row name="Hardware">{plan.hardware}</Row>}
      {memory.length > 0 && (
        <Row name="Memory">
          {memory.slice(0, 3).map((remark) => (
            <span key={remark} className="block">
              {sentence(remark)}
            </span>
          ))}
        </Row>
      )}
      <Row name="Engine">
        {plan.engine} {plan.engine_version ?? <Badge tone="warn">not here</Badge>}
      </Row>
      <Row name="Aim">
        {sentence(plan.objective_label)}
        {plan.unit && ` (${plan.unit})`}
        <Soft>at {plan.scored_at.join(", ") || "each load"}</Soft>
      </Row>
      {plan.slo_sentences.length > 0 && <Row name="Promise">{plan.slo_sentences.join("; ")}</Row>}
    </dl>
  );
}

function Notices({ plan }: { plan: Schema<"PlanSummary"> }) {
  return (
    <>
      {(plan.layers ?? []).map((layer) => (
        <p key={layer.name} className="text-xs text-ink-soft">
          <span className="font-mono">{layer.name}</span> gives {counted(Object.keys(layer.keys).length, "value")}
        </p>
      ))}
      {plan.warnings.length > 0 && (
        <ul aria-label="Warnings" className="grid gap-1 rounded-md bg-warn-soft px-3 py-2 text-[13px]">
          {plan.warnings.map((warning) => (
            <li key={warning}>{sentence(warning)}</li>
          ))}
        </ul>
      )}
    </>
  );
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-ink-soft">{name}</dt>
      <dd className="figures min-w-0 break-words">{children}</dd>
    </>
  );
}

const Soft = ({ children }: { children: ReactNode }) => (
  <span className="ml-1.5 text-xs text-ink-soft">{children}</span>
);
