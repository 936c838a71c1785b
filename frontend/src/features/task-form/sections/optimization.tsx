import { cx } from "@/components/ui/class-names";
import { DocumentField, sentence } from "@/features/task-form/fields/document-field";
import { MoreFields } from "@/features/task-form/fields/more-fields";
import { labelOf } from "@/features/task-form/schema/lookup";
import { Section } from "@/features/task-form/sections/section";
import { useDocumentField } from "@/features/task-form/task-form-state";

const MAIN = ["strategy", "max_iterations", "max_parallel_experiments", "patience"];

/** What is sought, and what may be spent on it. */
export function OptimizationSection() {
  return (
    <Section id="optimization" title="Optimization">
      <Objectives />
      <div className="grid gap-x-4 gap-y-3 sm:grid-cols-2">
        {MAIN.map((key) => (
          <DocumentField key={key} path={["optimization", key]} />
        ))}
        <DocumentField path={["optimization", "budget", "wall_clock_s"]} label="Time limit (s)" />
        <DocumentField path={["optimization", "price_per_gpu_hour"]} />
      </div>
      <MoreFields
        path={["optimization"]}
        without={[...MAIN, "objective", "budget", "price_per_gpu_hour"]}
        title="More of the optimization"
      />
    </Section>
  );
}

/** One objective, or several for a Pareto set. */
function Objectives() {
  const { value, known, error, set } = useDocumentField(["optimization", "objective"]);
  if (!known) return null;
  const chosen = [value ?? known.default ?? []].flat().map(String);
  const toggle = (name: string) => {
    const next = chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name];
    set(next.length > 1 ? next : (next[0] ?? undefined));
  };
  return (
    <fieldset className="grid gap-1.5">
      <legend className="mb-1 text-[13px] font-medium">{known.label}</legend>
      <div className="flex flex-wrap gap-1.5">
        {known.choices.map((name) => (
          <label
            key={name}
            className={cx(
              "cursor-pointer rounded-md border px-2.5 py-1 text-sm focus-within:outline-2 focus-within:outline-focus",
              chosen.includes(name) ? "border-accent bg-accent-soft" : "border-line hover:border-line-strong",
            )}
          >
            <input type="checkbox" className="sr-only" checked={chosen.includes(name)} onChange={() => toggle(name)} />
            {labelOf(name)}
          </label>
        ))}
      </div>
      <p className="text-xs text-ink-soft">{sentence(known.description)}</p>
      {error && <p className="text-xs text-bad">{sentence(error)}</p>}
    </fieldset>
  );
}
