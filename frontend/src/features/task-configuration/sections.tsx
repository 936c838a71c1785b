import type { Schema } from "@/api/client";
import { Panel } from "@/components/ui/panel";
import { OriginBadge } from "@/features/task-configuration/origin-badge";
import { grouped, valueText } from "@/features/task-configuration/provenance";

const TITLES: Record<Schema<"ConfigurationSection">["name"], string> = {
  basic: "Basic",
  model: "Model",
  runtime: "Runtime",
  parameters: "Parameters",
  optimization: "Optimization",
  benchmark: "Benchmark",
  quantization: "Quantization",
  parallel: "Parallel layout and hardware",
  slo: "SLO",
  quality: "Quality guard",
  metadata: "Metadata",
};

interface SectionsProps {
  sections: readonly Schema<"ConfigurationSection">[];
  /** Values that are the fields' own defaults too. */
  defaults: boolean;
}

/** What the document says, a table each section. */
export function Sections({ sections, defaults }: SectionsProps) {
  const shown = sections
    .map(({ name, values }) => ({ name, values: values.filter(({ layer }) => defaults || layer !== "default") }))
    .filter(({ values }) => values.length > 0);
  return (
    <div className="grid items-start gap-5 xl:grid-cols-2">
      {shown.map(({ name, values }) => (
        <Panel key={name} title={TITLES[name]} flush>
          <table className="w-full text-sm">
            <thead className="sr-only">
              <tr>
                <th scope="col">Field</th>
                <th scope="col">Value</th>
                <th scope="col">Where it comes from</th>
              </tr>
            </thead>
            {grouped(values).map((group) => (
              <tbody key={group.name}>
                {group.name && (
                  <tr className="border-t border-line">
                    <th colSpan={3} scope="colgroup" className="px-4 pt-2 text-left font-mono text-xs text-ink-soft">
                      {group.name}
                    </th>
                  </tr>
                )}
                {group.values.map(({ label, value }) => (
                  <tr key={value.place} className="border-t border-line align-baseline">
                    <th scope="row" className="w-px py-1.5 pr-3 pl-4 text-left font-normal">
                      <span title={value.description || undefined} className={value.description ? "cursor-help" : ""}>
                        {label}
                      </span>
                    </th>
                    <td className="figures px-2 py-1.5 font-mono text-[13px] break-words [overflow-wrap:anywhere]">
                      {valueText(value.value)}
                    </td>
                    <td className="w-px py-1.5 pr-4 pl-2 text-right">
                      <OriginBadge value={value} />
                    </td>
                  </tr>
                ))}
              </tbody>
            ))}
          </table>
        </Panel>
      ))}
    </div>
  );
}
