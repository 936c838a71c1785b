import { useQuery } from "@tanstack/react-query";
import { engineList } from "@/api/engines";
import { Badge } from "@/components/ui/badge";
import { cx } from "@/components/ui/class-names";
import { DocumentField } from "@/features/task-form/fields/document-field";
import { MoreFields } from "@/features/task-form/fields/more-fields";
import { Section } from "@/features/task-form/sections/section";
import { useDocumentField } from "@/features/task-form/task-form-state";

/** What is served. */
export function ModelSection() {
  return (
    <Section id="model" title="Model">
      <DocumentField path={["model", "id_or_path"]} label="Name or path" />
      <MoreFields path={["model"]} without={["id_or_path"]} title="More of the model" />
    </Section>
  );
}

interface EngineProps {
  /** The engine of the plan, where the document names none. */
  planned: string | null;
  onEngine: (name: string) => void;
}

/** What serves it, and where. */
export function EngineSection({ planned, onEngine }: EngineProps) {
  const mode = useDocumentField(["deployment_mode"]);
  const addressed = useDocumentField(["deployment", "endpoint_url"]);
  const measured = addressed.value !== undefined || mode.value === "endpoint";
  const simulated = useDocumentField(["simulation"]).value !== undefined;
  return (
    <Section id="engine" title="Engine">
      <EnginePicker planned={planned} onEngine={onEngine} />
      <div className="grid gap-x-4 gap-y-3 sm:grid-cols-2">
        <DocumentField path={["deployment_mode"]} label="Deployment" />
        {measured && <DocumentField path={["deployment", "endpoint_url"]} label="Address" />}
      </div>
      <MoreFields path={["runtime"]} title="How it is started" />
      <MoreFields path={["deployment"]} without={measured ? ["endpoint_url"] : []} title="More of the deployment" />
      <MoreFields path={["system_config"]} title="Hardware" />
      {simulated && <MoreFields path={["simulation"]} title="Predictions" />}
    </Section>
  );
}

function EnginePicker({ planned, onEngine }: EngineProps) {
  const { data: engines = [] } = useQuery(engineList);
  const { value, known, error } = useDocumentField(["base_runtime"]);
  const chosen = typeof value === "string" ? value : planned;
  const about = engines.find((one) => one.name === chosen || one.aliases?.includes(chosen ?? ""));
  const choices = engines.filter((one) => known?.choices.includes(one.name));
  return (
    <fieldset className="grid gap-1.5">
      <legend className="mb-1 text-[13px] font-medium">Inference engine</legend>
      <div className="flex flex-wrap gap-1.5">
        {choices.map((engine) => (
          <label
            key={engine.name}
            className={cx(
              "flex cursor-pointer items-center gap-2 rounded-md border px-2.5 py-1.5 text-sm",
              "focus-within:outline-2 focus-within:outline-offset-1 focus-within:outline-focus",
              about?.name === engine.name ? "border-accent bg-accent-soft" : "border-line hover:border-line-strong",
            )}
          >
            <input
              type="radio"
              name="engine"
              className="size-3.5 accent-accent outline-none"
              checked={about?.name === engine.name}
              onChange={() => onEngine(engine.name)}
            />
            {engine.name}
            {engine.predicted ? (
              <Badge tone="warn">predicted</Badge>
            ) : engine.version ? (
              <Badge tone="good">ready</Badge>
            ) : (
              <Badge>not here</Badge>
            )}
          </label>
        ))}
      </div>
      {about?.version && <p className="figures text-xs text-ink-soft">Version {about.version} can be started here.</p>}
      {about?.remedy && <p className="text-xs text-warn">{about.remedy}</p>}
      {error && <p className="text-xs text-bad">{error}</p>}
    </fieldset>
  );
}
