import { lazy, type ReactNode, Suspense, useMemo } from "react";
import type { Form } from "@/api/documents";
import { Failed, Loading } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { cx } from "@/components/ui/class-names";
import { pathOf } from "@/features/task-form/document/path";
import { type Mark, rangeOf, read } from "@/features/task-form/document/text";
import type { DraftState } from "@/features/task-form/draft";
import { headline } from "@/features/task-form/plan/headline";
import { PlanPanel } from "@/features/task-form/plan/plan-panel";
import { type PlanState, usePlan } from "@/features/task-form/plan/use-plan";
import type { JsonSchema } from "@/features/task-form/schema/lookup";
import { Basics } from "@/features/task-form/sections/basics";
import { FurtherSection } from "@/features/task-form/sections/further";
import { EngineSection, ModelSection } from "@/features/task-form/sections/model-and-engine";
import { OptimizationSection } from "@/features/task-form/sections/optimization";
import { SearchedSection } from "@/features/task-form/sections/searched";
import { SloSection } from "@/features/task-form/sections/slo";
import { WorkloadSection } from "@/features/task-form/sections/workload";
import { type Fault, TaskFormProvider, useTaskForm } from "@/features/task-form/task-form-state";

const YamlEditor = lazy(() =>
  import("@/features/task-form/editor/yaml-editor").then((found) => ({ default: found.YamlEditor })),
);

export type View = "form" | "yaml" | "plan";
const VIEWS: Record<View, string> = { form: "Form", yaml: "YAML", plan: "Plan" };

/** What of the page lives in its address. */
export interface TaskFormSearch {
  /** Which part a narrow screen shows. */
  view?: View;
  /** Which form of the search space is edited. */
  form?: Form;
}

interface TaskFormProps {
  draft: DraftState;
  schema: JsonSchema;
  search: TaskFormSearch;
  onSearch: (change: TaskFormSearch) => void;
  why: string | null;
  onProfiles: (names: string[]) => void;
  onEngine: (name: string) => void;
  onLeaveToProfiles: () => void;
  /** Another document is on its way. */
  changing?: boolean;
  /** What the service said to the last attempt. */
  refused: Error | null;
  /** Buttons that make the task; told whether there is something to make. */
  actions: (possible: boolean) => ReactNode;
}

/** A task document as form and as YAML side by side, with its plan. */
export function TaskForm({ draft, schema, ...rest }: TaskFormProps) {
  const data = useMemo(() => read(draft.text).data, [draft.text]);
  const plan = usePlan(data);
  return (
    <TaskFormProvider text={draft.text} setText={draft.setText} schema={schema} faults={plan.faults}>
      <Columns plan={plan} {...rest} />
    </TaskFormProvider>
  );
}

function Columns({
  plan,
  search,
  onSearch,
  why,
  onProfiles,
  onEngine,
  onLeaveToProfiles,
  changing = false,
  refused,
  actions,
}: Omit<TaskFormProps, "draft" | "schema"> & { plan: PlanState }) {
  const { text, setText, reading, schema, data } = useTaskForm();
  const view = search.view ?? "form";
  const marks = useMemo(() => marksOf(text, reading.faults, plan.faults), [text, reading.faults, plan.faults]);
  const engine = typeof data.base_runtime === "string" ? data.base_runtime : (plan.plan?.engine ?? null);
  const crowded =
    Array.isArray(data.profiles) && ["parameters", "benchmark", "optimization"].some((key) => key in data);
  const shownFor = (part: View) => cx(view !== part && "max-xl:hidden");
  return (
    <>
      <fieldset aria-label="Views of the document" className="mb-3 flex gap-1 xl:hidden">
        {(Object.keys(VIEWS) as View[]).map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={view === one}
            className={cx(
              "grow cursor-pointer rounded-md px-3 py-1.5 text-sm",
              view === one ? "bg-accent-soft font-medium text-accent" : "bg-sunken text-ink-soft",
            )}
            onClick={() => onSearch({ view: one })}
          >
            {VIEWS[one]}
          </button>
        ))}
      </fieldset>
      <div className="grid items-start gap-5 xl:grid-cols-[minmax(0,1.15fr)_minmax(0,1fr)]">
        <div className={cx("grid min-w-0 gap-4", shownFor("form"))}>
          {!reading.data && (
            <p role="status" className="rounded-md bg-warn-soft px-3 py-2 text-sm">
              The YAML cannot be read now, so the form shows what it said last. Mend it there to go on here.
            </p>
          )}
          <fieldset disabled={!reading.data} className="grid min-w-0 gap-4">
            <legend className="sr-only">Task</legend>
            <Basics why={why} crowded={crowded} onProfiles={onProfiles} onLeaveToProfiles={onLeaveToProfiles} />
            <ModelSection />
            <EngineSection planned={plan.plan?.engine ?? null} onEngine={onEngine} />
            <WorkloadSection />
            <SloSection />
            {engine && (
              <SearchedSection
                engine={engine}
                form={search.form ?? "flat"}
                onForm={(form) => onSearch({ form })}
                plan={plan}
              />
            )}
            <OptimizationSection />
            <FurtherSection />
          </fieldset>
        </div>
        <div
          className={cx(
            "grid min-w-0 gap-4 xl:sticky xl:top-4 xl:h-[calc(100dvh-9.5rem)] xl:grid-rows-[auto_minmax(14rem,1fr)]",
            view === "form" && "max-xl:hidden",
          )}
        >
          <div className={cx("min-h-0 xl:max-h-[46dvh] xl:overflow-y-auto", shownFor("plan"))}>
            <PlanPanel state={plan} readable={reading.data !== null} />
          </div>
          <section
            aria-label="YAML"
            className={cx(
              "min-h-0 overflow-hidden rounded-lg border border-line bg-surface max-xl:h-[65dvh]",
              shownFor("yaml"),
            )}
          >
            <Suspense fallback={<Loading label="The editor is loaded" />}>
              <YamlEditor text={text} onText={setText} schema={schema} marks={marks} />
            </Suspense>
          </section>
        </div>
      </div>
      <div className="sticky bottom-0 z-20 -mx-4 mt-4 grid gap-2 border-t border-line bg-paper px-4 py-3 md:-mx-8 md:px-8">
        {refused && <Failed error={refused} />}
        <div className="flex flex-wrap items-center justify-end gap-2">
          <p role="status" className="figures mr-auto text-sm">
            {changing ? (
              "Another document is made"
            ) : plan.faults.length > 0 ? (
              <Button size="small" look="danger" onClick={() => onSearch({ view: "plan" })}>
                {plan.faults.length === 1 ? "1 thing is wrong" : `${plan.faults.length} things are wrong`}
              </Button>
            ) : plan.plan ? (
              headline(plan.plan)
            ) : (
              "Planning"
            )}
          </p>
          {actions(reading.data !== null && plan.faults.length === 0)}
        </div>
      </div>
    </>
  );
}

/** What is wrong, where it stands in the text. */
function marksOf(text: string, unreadable: readonly Mark[], faults: readonly Fault[]): Mark[] {
  if (unreadable.length) return [...unreadable];
  return faults.map((fault) => {
    const range = rangeOf(text, pathOf(fault.place ?? "")) ?? { from: 0, to: Math.min(1, text.length) };
    return { ...range, message: `${fault.place ? `${fault.place}: ` : ""}${fault.detail}. ${fault.remedy}` };
  });
}
