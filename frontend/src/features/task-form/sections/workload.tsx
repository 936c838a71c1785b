import { Plus, X } from "lucide-react";
import { Button } from "@/components/ui/button";
import { TextInput } from "@/components/ui/field";
import { DocumentField, sentence } from "@/features/task-form/fields/document-field";
import { MoreFields } from "@/features/task-form/fields/more-fields";
import { Section } from "@/features/task-form/sections/section";
import { useDocumentField } from "@/features/task-form/task-form-state";

const MAIN = ["traffic_scenarios", "profile", "num_concurrency", "request_rates", "max_time_per_iteration", "engine"];

/** The requests, and how they are measured. */
export function WorkloadSection() {
  return (
    <Section id="workload" title="Workload" lead="Requests like yours: what is best for others may be bad for you.">
      <Scenarios />
      <div className="grid gap-x-4 gap-y-3 sm:grid-cols-2">
        {MAIN.slice(1).map((key) => (
          <DocumentField key={key} path={["benchmark", key]} {...(key === "engine" && { label: "Benchmark client" })} />
        ))}
      </div>
      <MoreFields path={["benchmark"]} without={[...MAIN, "benchmark_engine"]} title="More of the workload" />
    </Section>
  );
}

/** One scenario a line: commas are part of them. */
function Scenarios() {
  const { value, known, error, set } = useDocumentField(["benchmark", "traffic_scenarios"]);
  const given = value === undefined ? [] : [value].flat().map(String);
  const fallback = Array.isArray(known?.default) ? known.default.map(String) : [];
  const lines = given.length ? given : [""];
  const put = (next: string[]) => {
    const kept = next.filter((line, index) => line || index < next.length - 1 || next.length > 1);
    set(kept.some((line) => line) ? kept : undefined);
  };
  return (
    <fieldset className="grid gap-1.5">
      <legend className="mb-1 text-[13px] font-medium">Traffic scenarios</legend>
      {lines.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line is known by its place
        <div key={index} className="flex gap-1.5">
          <TextInput
            aria-label={`Scenario ${index + 1}`}
            className="font-mono text-[13px]"
            value={line}
            placeholder={fallback.join(", ")}
            onChange={(event) => put(lines.map((old, place) => (place === index ? event.target.value : old)))}
            {...(error && { "aria-invalid": true })}
          />
          {lines.length > 1 && (
            <Button
              look="quiet"
              size="icon"
              aria-label={`Remove scenario ${index + 1}`}
              onClick={() => put(lines.filter((_, place) => place !== index))}
            >
              <X size={15} aria-hidden />
            </Button>
          )}
        </div>
      ))}
      <Button
        size="small"
        className="justify-self-start"
        onClick={() => set([...(given.length ? given : fallback), ""])}
      >
        <Plus size={14} aria-hidden /> Scenario
      </Button>
      {known && <p className="text-xs text-ink-soft">{sentence(known.description)}</p>}
      {error && <p className="text-xs text-bad">{error}</p>}
    </fieldset>
  );
}
