import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Schema } from "@/api/client";
import { mergedPresets, presetChoices } from "@/api/preset-merging";
import { QueryStates } from "@/components/states/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { cx } from "@/components/ui/class-names";
import { Field, Select } from "@/components/ui/field";
import { isMapping } from "@/features/task-form/document/path";
import { shown } from "@/features/task-form/document/values";
import { sentence } from "@/features/task-form/fields/document-field";
import { labelOf } from "@/features/task-form/schema/lookup";
import { useDocumentField, useTaskForm } from "@/features/task-form/task-form-state";

/** Stored presets below the document, merged by the service. */
export function ParameterPresets({ engine, strategies }: { engine: string; strategies: readonly string[] }) {
  const { value, error, set } = useDocumentField(["presets"]);
  const { change } = useTaskForm();
  const chosen = Array.isArray(value) ? value.map(String) : [];
  const [open, setOpen] = useState(chosen.length > 0);
  const used = open || chosen.length > 0;
  const toggle = (on: boolean) => {
    setOpen(on);
    if (!on) change([["presets"], undefined], [["merge_strategy"], undefined]);
  };
  return (
    <fieldset className={cx("grid gap-2.5", used && "rounded-md border border-line p-3")}>
      <legend className={cx(used && "px-1")}>
        <label className="flex items-center gap-2 text-sm font-medium">
          <input
            type="checkbox"
            className="size-3.5 accent-accent"
            checked={used}
            onChange={(event) => toggle(event.target.checked)}
          />
          Use parameter presets
        </label>
      </legend>
      {used && (
        <>
          <PresetList chosen={chosen} onChoose={(next) => set(next.length ? next : undefined)} />
          {error && <p className="text-xs text-bad">{sentence(error)}</p>}
          {chosen.length > 1 && <Strategy strategies={strategies} />}
          {chosen.length > 0 && <Merged chosen={chosen} engine={engine} />}
        </>
      )}
    </fieldset>
  );
}

function PresetList({ chosen, onChoose }: { chosen: readonly string[]; onChoose: (next: string[]) => void }) {
  const query = useQuery(presetChoices);
  return (
    <QueryStates query={query} lines={2}>
      {(presets) => (
        <ul className="grid gap-1 sm:grid-cols-2">
          {presets.map((preset) => {
            const name = chosen.find((one) => one === preset.slug || one === preset.name || one === String(preset.id));
            return (
              <li key={preset.id}>
                <label className="flex cursor-pointer gap-2.5 rounded-md px-2 py-1.5 text-sm hover:bg-sunken">
                  <input
                    type="checkbox"
                    className="mt-1 size-3.5 shrink-0 accent-accent"
                    checked={name !== undefined}
                    onChange={(event) =>
                      onChoose(event.target.checked ? [...chosen, preset.slug] : chosen.filter((one) => one !== name))
                    }
                  />
                  <span className="grid gap-0.5">
                    <span>
                      {preset.name} <Badge>{preset.category}</Badge>
                    </span>
                    <span className="text-xs text-ink-soft">{preset.description}</span>
                  </span>
                </label>
              </li>
            );
          })}
        </ul>
      )}
    </QueryStates>
  );
}

function Strategy({ strategies }: { strategies: readonly string[] }) {
  const { value, known, error, set } = useDocumentField(["merge_strategy"]);
  if (typeof value === "object" && value !== null) return null;
  return (
    <Field label="Merge strategy" hint={known && sentence(known.description)} error={error} className="max-w-80">
      {(tied) => (
        <Select {...tied} value={String(value ?? "")} onChange={(event) => set(event.target.value || undefined)}>
          <option value="">Default</option>
          {strategies.map((one) => (
            <option key={one} value={one}>
              {labelOf(one)}
            </option>
          ))}
        </Select>
      )}
    </Field>
  );
}

/** What the presets come to for the engine, and what of it is taken into the document to be tuned further. */
function Merged({ chosen, engine }: { chosen: readonly string[]; engine: string }) {
  const { change } = useTaskForm();
  const { value } = useDocumentField(["merge_strategy"]);
  const query = useQuery(mergedPresets({ preset_ids: [...chosen], runtime: engine, ...rulesOf(value) }));
  return (
    <QueryStates query={query} lines={2}>
      {(merged) => (
        <div className="grid gap-2">
          <table className="w-full text-sm">
            <caption className="pb-1 text-left text-xs text-ink-soft">What they come to for {engine}</caption>
            <tbody>
              {Object.entries(merged.parameters).map(([name, values]) => (
                <tr key={name} className="border-t border-line">
                  <th scope="row" className="py-1 pr-3 text-left font-mono text-[13px] font-normal">
                    {name}
                  </th>
                  <td className="figures py-1 font-mono text-[13px]">{shown(values)}</td>
                  <td className="py-1 text-right">
                    <Button size="small" look="quiet" onClick={() => change([["parameters", name], values])}>
                      Tune
                    </Button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {(merged.conflicts ?? []).length > 0 && (
            <ul aria-label="Conflicts" className="grid gap-1 rounded-md bg-warn-soft px-3 py-2 text-xs">
              {(merged.conflicts ?? []).map((one) => (
                <li key={one.parameter}>
                  <span className="font-mono font-medium">{one.parameter}</span>:{" "}
                  {Object.entries(one.values)
                    .map(([preset, values]) => `${preset} ${shown(values)}`)
                    .join("; ")}{" "}
                  → <span className="font-mono">{one.result === null ? "left out" : shown(one.result)}</span> (
                  {one.rule})
                </li>
              ))}
            </ul>
          )}
          {(merged.warnings ?? []).map((warning) => (
            <p key={warning} className="text-xs text-warn">
              {sentence(warning)}
            </p>
          ))}
        </div>
      )}
    </QueryStates>
  );
}

/** How presets are merged, as the service is asked for it: a strategy's name, or rules with exceptions. */
function rulesOf(value: unknown): Partial<Schema<"MergeRequest">> {
  if (typeof value === "string") return { merge_strategy: value };
  if (!isMapping(value)) return {};
  const { default: strategy, strict, parameters } = value as Partial<Schema<"MergeRules">>;
  return {
    ...(strategy && { merge_strategy: strategy }),
    ...(typeof strict === "boolean" && { strict }),
    ...(parameters && { overrides: parameters }),
  };
}
