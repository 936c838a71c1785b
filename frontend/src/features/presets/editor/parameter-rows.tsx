import { useQuery } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import { useId, useMemo } from "react";
import { engineList, engineParameters } from "@/api/engines";
import { Button } from "@/components/ui/button";
import { TextInput } from "@/components/ui/field";
import type { DraftProblems, ParameterRow } from "@/features/presets/editor/draft";
import { valueText } from "@/features/task-configuration/provenance";

interface ParameterRowsProps {
  rows: readonly ParameterRow[];
  /** The engine whose parameters are meant; any: help is of the default engine. */
  runtime: string;
  problems: DraftProblems;
  onChange: (rows: ParameterRow[]) => void;
}

/** Parameters with their values. Names are completed and explained by the engine's catalogue. */
export function ParameterRows({ rows, runtime, problems, onChange }: ParameterRowsProps) {
  const list = useId();
  const known = useParameterHelp(runtime);
  const change = (id: number, changes: Partial<ParameterRow>) =>
    onChange(rows.map((row) => (row.id === id ? { ...row, ...changes } : row)));
  const add = () => onChange([...rows, { id: Math.max(-1, ...rows.map(({ id }) => id)) + 1, name: "", values: "" }]);
  return (
    <fieldset className="grid gap-2">
      <legend className="mb-1 text-[13px] font-medium">Parameters</legend>
      <datalist id={list}>
        {known.names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {rows.map((row, place) => {
        const problem = problems[`row ${row.id}`];
        const help = known.help.get(spelling(row.name));
        const said = `${list}-${row.id}`;
        return (
          <div key={row.id} className="grid gap-1">
            <div className="flex gap-2">
              <TextInput
                aria-label={`Name of parameter ${place + 1}`}
                list={list}
                className="max-w-64 font-mono text-[13px]!"
                value={row.name}
                aria-invalid={problem ? true : undefined}
                aria-describedby={said}
                onChange={({ target }) => change(row.id, { name: target.value })}
              />
              <TextInput
                aria-label={`Values of ${row.name || `parameter ${place + 1}`}, with commas between them`}
                className="min-w-0 font-mono text-[13px]!"
                placeholder="values, with commas between them"
                value={row.values}
                aria-invalid={problem ? true : undefined}
                aria-describedby={said}
                onChange={({ target }) => change(row.id, { values: target.value })}
              />
              <Button
                look="quiet"
                size="icon"
                aria-label={`Remove ${row.name || `parameter ${place + 1}`}`}
                onClick={() => onChange(rows.filter(({ id }) => id !== row.id))}
              >
                <Trash2 size={16} aria-hidden />
              </Button>
            </div>
            <p id={said} className={problem ? "text-xs text-bad" : "text-xs text-ink-soft"}>
              {problem ?? help}
            </p>
          </div>
        );
      })}
      <Button size="small" className="justify-self-start" onClick={add}>
        <Plus size={14} aria-hidden /> Add a parameter
      </Button>
    </fieldset>
  );
}

/** What the engine's catalogue says of its parameters, by any of their spellings. */
function useParameterHelp(runtime: string): { names: string[]; help: Map<string, string> } {
  const engines = useQuery(engineList);
  const engine = runtime === "any" ? engines.data?.[0]?.name : runtime;
  const parameters = useQuery({ ...engineParameters(engine ?? ""), enabled: engine !== undefined });
  return useMemo(() => {
    const help = new Map<string, string>();
    const items = parameters.data?.items ?? [];
    for (const one of items) {
      const facts = [
        one.type,
        one.unit,
        one.choices.length > 0 && `one of ${one.choices.map(valueText).join(", ")}`,
        one.low != null && `from ${one.low}`,
        one.high != null && `to ${one.high}`,
        one.default != null && `default ${valueText(one.default)}`,
        one.lossy && "may make answers worse",
        one.danger,
        one.deprecated,
      ].filter(Boolean);
      const text = `${engine}: ${facts.join(", ")}. ${one.help}`;
      for (const name of [one.name, one.flag, ...one.flags, ...one.aliases]) if (name) help.set(spelling(name), text);
    }
    return { names: items.map(({ name }) => name), help };
  }, [parameters.data, engine]);
}

/** One spelling of a name: with or without leading dashes, with dashes or underscores within. */
const spelling = (name: string): string => name.trim().replace(/^-+/, "").replaceAll("-", "_").toLowerCase();
