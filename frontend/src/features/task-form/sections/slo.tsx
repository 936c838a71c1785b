import { Plus, X } from "lucide-react";
import { Button } from "@/components/ui/button";
import { Select } from "@/components/ui/field";
import { type Path, valueAt } from "@/features/task-form/document/path";
import { shown, typed } from "@/features/task-form/document/values";
import { sentence } from "@/features/task-form/fields/document-field";
import { MoreFields } from "@/features/task-form/fields/more-fields";
import { TypedInput } from "@/features/task-form/fields/typed-input";
import { fieldAt, type JsonSchema, keysAt, labelOf } from "@/features/task-form/schema/lookup";
import { Section } from "@/features/task-form/sections/section";
import { type Limit, limitsOf, statisticsOf } from "@/features/task-form/sections/slo-limits";
import { useTaskForm } from "@/features/task-form/task-form-state";

const BLOCK = "slo";
const FIGURES = ["threshold", "weight", "fail_ratio"] as const;

/** What users are promised: a line for each limit. */
export function SloSection() {
  const { data, schema, change, faults } = useTaskForm();
  const metrics = [...keysAt(schema, [BLOCK]).keys()].filter((key) => statisticsOf(schema, key).length > 0);
  const limits = limitsOf(schema, data);
  const move = (limit: Limit, metric: string, statistic: string) => {
    const value = valueAt(data, limit.path);
    change([limit.path, undefined], [pathOf(schema, metric, statistic), value]);
  };
  const free = metrics.flatMap((metric) =>
    statisticsOf(schema, metric)
      .filter((statistic) => !limits.some((one) => one.metric === metric && one.statistic === statistic))
      .map((statistic) => ({ metric, statistic })),
  );
  const next =
    free.find((one) => one.statistic === "p90" && !limits.some((limit) => limit.metric === one.metric)) ?? free[0];
  return (
    <Section
      id="slo"
      title="Promise to users (SLO)"
      lead="A hard limit rules a configuration out; a soft one costs it score."
      actions={
        next && (
          <Button size="small" onClick={() => change([pathOf(schema, next.metric, next.statistic), { threshold: 1 }])}>
            <Plus size={14} aria-hidden /> Limit
          </Button>
        )
      }
    >
      {limits.length > 0 && (
        <ul className="grid gap-2">
          {limits.map((limit) => {
            const place = limit.path.join(".");
            const wrong = faults.filter((fault) => fault.place?.startsWith(place));
            return (
              <li key={place} className="grid gap-1.5 rounded-md border border-line p-2.5">
                <div className="flex flex-wrap items-end gap-2">
                  <Labelled label="Figure">
                    <Select
                      value={limit.metric}
                      onChange={(event) =>
                        move(limit, event.target.value, statisticsOf(schema, event.target.value)[0] ?? limit.statistic)
                      }
                    >
                      {metrics.map((one) => (
                        <option key={one} value={one}>
                          {labelOf(one)}
                        </option>
                      ))}
                    </Select>
                  </Labelled>
                  <Labelled label="Of">
                    <Select value={limit.statistic} onChange={(event) => move(limit, limit.metric, event.target.value)}>
                      {statisticsOf(schema, limit.metric).map((one) => (
                        <option key={one} value={one}>
                          {one}
                        </option>
                      ))}
                    </Select>
                  </Labelled>
                  {FIGURES.map((key) => (
                    <Labelled key={key} label={key === "threshold" ? "At most (s)" : labelOf(key)} narrow>
                      <TypedInput
                        className="figures"
                        inputMode="decimal"
                        title={fieldAt(schema, [...limit.path, key])?.description}
                        placeholder={shown(fieldAt(schema, [...limit.path, key])?.default)}
                        value={valueAt(data, [...limit.path, key])}
                        shown={shown}
                        typed={typed}
                        // A limit without a figure stays one until its button takes it away.
                        onValue={(value) =>
                          change([[...limit.path, key], value ?? (key === "threshold" ? null : undefined)])
                        }
                      />
                    </Labelled>
                  ))}
                  <label
                    className="flex h-9 items-center gap-2 text-sm"
                    title={fieldAt(schema, [...limit.path, "hard_fail"])?.description}
                  >
                    <input
                      type="checkbox"
                      className="size-3.5 accent-accent"
                      checked={valueAt(data, [...limit.path, "hard_fail"]) === true}
                      onChange={(event) => change([[...limit.path, "hard_fail"], event.target.checked || undefined])}
                    />
                    Hard
                  </label>
                  <Button
                    look="quiet"
                    size="icon"
                    aria-label={`Remove the limit on ${limit.metric} ${limit.statistic}`}
                    className="ml-auto"
                    onClick={() => change([limit.path, undefined])}
                  >
                    <X size={15} aria-hidden />
                  </Button>
                </div>
                {wrong.map((fault) => (
                  <p key={fault.detail} className="text-xs text-bad">
                    {sentence(fault.detail)}. {fault.remedy}
                  </p>
                ))}
              </li>
            );
          })}
        </ul>
      )}
      <MoreFields path={[BLOCK]} without={metrics} title="Errors and steepness" />
    </Section>
  );
}

function Labelled({ label, narrow, children }: { label: string; narrow?: boolean; children: React.ReactNode }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child
    <label className={narrow ? "grid w-24 gap-1" : "grid w-28 gap-1"}>
      <span className="text-xs text-ink-soft">{label}</span>
      {children}
    </label>
  );
}

const pathOf = (schema: JsonSchema, metric: string, statistic: string): Path =>
  fieldAt(schema, [BLOCK, metric, statistic]) ? [BLOCK, metric, statistic] : [BLOCK, metric];
