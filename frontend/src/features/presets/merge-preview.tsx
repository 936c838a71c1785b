import { useQuery } from "@tanstack/react-query";
import { engineList } from "@/api/engines";
import { mergedPresets } from "@/api/preset-merging";
import type { Preset } from "@/api/presets";
import { QueryStates } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { Field, Select } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { type PresetsChanges, type PresetsSearch, STRATEGIES } from "@/features/presets/search";
import { shown } from "@/features/task-form/document/values";

interface MergePreviewProps {
  ids: readonly number[];
  /** Those that are known, for their names. */
  presets: readonly Preset[];
  search: PresetsSearch;
  onSearch: (changes: PresetsChanges) => void;
}

/** What the chosen presets come to together, in the order in which they were chosen. */
export function MergePreview({ ids, presets, search, onSearch }: MergePreviewProps) {
  const { strategy = "union", engine } = search;
  const engines = useQuery(engineList);
  const merged = useQuery(
    mergedPresets({
      preset_ids: [...ids],
      merge_strategy: strategy,
      strict: false,
      ...(engine && { runtime: engine }),
    }),
  );
  const names = ids.map((id) => presets.find((preset) => preset.id === id)?.name ?? `preset ${id}`);
  return (
    <Panel
      title="What they come to together"
      actions={
        <Button size="small" look="quiet" onClick={() => onSearch({ chosen: undefined })}>
          Choose none
        </Button>
      }
    >
      <div className="grid gap-4">
        <p className="text-sm text-ink-soft">Merged in this order: {names.join(" → ")}. Nothing is stored.</p>
        <div className="flex flex-wrap gap-4">
          <Field label="Strategy" className="w-48">
            {(tied) => (
              <Select
                {...tied}
                value={strategy}
                onChange={({ target }) => onSearch({ strategy: STRATEGIES.find((one) => one === target.value) })}
              >
                {STRATEGIES.map((one) => (
                  <option key={one} value={one}>
                    {one.replaceAll("_", " ")}
                  </option>
                ))}
              </Select>
            )}
          </Field>
          <Field label="In the names of" className="w-60">
            {(tied) => (
              <Select
                {...tied}
                value={engine ?? ""}
                onChange={({ target }) => onSearch({ engine: target.value || undefined })}
              >
                <option value="">The presets themselves</option>
                {(engines.data ?? []).map(({ name }) => (
                  <option key={name} value={name}>
                    {name}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        </div>
        <QueryStates query={merged} lines={3}>
          {({ parameters, config, conflicts, warnings }) => (
            <div className="grid gap-4">
              {warnings.length > 0 && (
                <ul className="grid gap-0.5 rounded-md bg-warn-soft px-3 py-2 text-sm">
                  {warnings.map((sentence) => (
                    <li key={sentence}>
                      <span className="font-medium text-warn">Warning:</span> {sentence}
                    </li>
                  ))}
                </ul>
              )}
              <Values rows={Object.entries(parameters)} />
              {Object.entries(config ?? {}).map(([block, fields]) => (
                <section key={block} aria-label={block}>
                  <h3 className="font-mono text-[13px]">{block}</h3>
                  <Values rows={Object.entries(fields)} />
                </section>
              ))}
              <Conflicts rows={conflicts} />
            </div>
          )}
        </QueryStates>
      </div>
    </Panel>
  );
}

/** Names and their values. */
export function Values({ rows }: { rows: readonly (readonly [string, unknown])[] }) {
  return (
    <table className="w-full text-sm">
      <tbody>
        {rows.map(([name, values]) => (
          <tr key={name} className="border-t border-line align-baseline">
            <th scope="row" className="w-64 py-1 pr-3 text-left font-mono text-[13px] font-normal break-words">
              {name}
            </th>
            <td className="figures py-1 font-mono text-[13px] break-words">{shown(values)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface Conflict {
  parameter: string;
  values: Record<string, unknown>;
  result: unknown;
  rule: string;
}

function Conflicts({ rows }: { rows: readonly Conflict[] }) {
  if (rows.length === 0) return <p className="text-sm text-ink-soft">The presets agree.</p>;
  return (
    <section aria-label="Where they do not agree" className="grid gap-1">
      <h3>Where they do not agree</h3>
      <div className="overflow-x-auto">
        <table className="w-full text-sm">
          <thead>
            <tr className="text-left text-xs text-ink-soft">
              <th scope="col" className="py-1 pr-3 font-medium">
                Parameter
              </th>
              <th scope="col" className="px-2 py-1 font-medium">
                Of each preset
              </th>
              <th scope="col" className="px-2 py-1 font-medium">
                Result
              </th>
              <th scope="col" className="py-1 pl-2 font-medium">
                Rule
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ parameter, values, result, rule }) => (
              <tr key={parameter} className="border-t border-line align-baseline">
                <th scope="row" className="py-1 pr-3 text-left font-mono text-[13px] font-normal">
                  {parameter}
                </th>
                <td className="px-2 py-1">
                  {Object.entries(values).map(([preset, given]) => (
                    <div key={preset}>
                      {preset} <span className="figures font-mono text-[13px]">{shown(given)}</span>
                    </div>
                  ))}
                </td>
                <td className="figures px-2 py-1 font-mono text-[13px]">
                  {result === null ? "left out" : shown(result)}
                </td>
                <td className="py-1 pl-2 text-ink-soft">{rule}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
