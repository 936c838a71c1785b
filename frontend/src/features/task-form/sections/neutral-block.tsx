import { useId } from "react";
import type { Schema } from "@/api/client";
import { Badge } from "@/components/ui/badge";
import { cx } from "@/components/ui/class-names";
import { isMapping, valueAt } from "@/features/task-form/document/path";
import { shown } from "@/features/task-form/document/values";
import { allowedOf, parameterNamed } from "@/features/task-form/fields/allowed";
import { sentence } from "@/features/task-form/fields/document-field";
import { SearchedInput } from "@/features/task-form/fields/searched-input";
import { keysAt, labelOf } from "@/features/task-form/schema/lookup";
import { useDocumentField, useTaskForm } from "@/features/task-form/task-form-state";

type Block = Schema<"EngineBlock">;
type Way = "none" | "preset" | "custom";
const WAYS: Record<Way, string> = { none: "None", preset: "Preset", custom: "Custom" };

interface NeutralBlockProps {
  title: string;
  block: Block;
}

/** A block that holds for every engine: left out, named presets, or fields of its own. */
export function NeutralBlock({ title, block }: NeutralBlockProps) {
  const { value, known, error, set } = useDocumentField([block.place], false);
  const way: Way = !isMapping(value) ? "none" : "presets" in value ? "preset" : "custom";
  const ways = (Object.keys(WAYS) as Way[]).filter((one) => one !== "preset" || block.presets.length > 0);
  const id = useId();
  const turn = (next: Way) => {
    if (next === way) return;
    const first = block.presets.find((one) => one.default) ?? block.presets[0];
    if (next === "none") set(undefined);
    if (next === "preset") set({ presets: first ? [first.name] : [] });
    if (next === "custom") set({});
  };
  return (
    <fieldset className="grid gap-2.5 rounded-md border border-line p-3">
      <legend className="px-1 text-sm font-medium">{title}</legend>
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="text-xs text-ink-soft">{known && sentence(known.description)}</p>
        <div role="radiogroup" aria-label={title} className="flex rounded-md border border-line p-0.5 text-[13px]">
          {ways.map((one) => (
            <label
              key={one}
              className={cx(
                "cursor-pointer rounded px-2.5 py-1 focus-within:outline-2 focus-within:outline-focus",
                way === one ? "bg-accent-soft font-medium text-accent" : "text-ink-soft hover:text-ink",
              )}
            >
              <input type="radio" name={id} className="sr-only" checked={way === one} onChange={() => turn(one)} />
              {WAYS[one]}
            </label>
          ))}
        </div>
      </div>
      {way === "preset" && <Presets block={block} />}
      {way === "custom" && <CustomFields block={block} />}
      {error && <p className="text-xs text-bad">{sentence(error)}</p>}
    </fieldset>
  );
}

function Presets({ block }: { block: Block }) {
  const { value, error, set } = useDocumentField([block.place, "presets"]);
  const chosen = Array.isArray(value) ? value.map(String) : [];
  return (
    <>
      <ul className="grid gap-1.5">
        {block.presets.map((preset) => (
          <li key={preset.name}>
            <label className="flex cursor-pointer gap-2.5 rounded-md px-2 py-1.5 text-sm hover:bg-sunken">
              <input
                type="checkbox"
                className="mt-1 size-3.5 shrink-0 accent-accent"
                checked={chosen.includes(preset.name)}
                onChange={(event) => {
                  const next = event.target.checked
                    ? [...chosen, preset.name]
                    : chosen.filter((name) => name !== preset.name);
                  set(next.length ? next : []);
                }}
              />
              <span className="grid min-w-0 gap-0.5">
                <span>
                  {preset.name} {preset.default && <Badge>changes nothing</Badge>}
                </span>
                <span className="figures font-mono text-xs break-words text-ink-soft">
                  {Object.entries(preset.fields)
                    .map(([field, one]) => `${field} ${shown(one)}`)
                    .join(" · ")}
                </span>
                {preset.excluded && <span className="text-xs text-warn">{sentence(preset.excluded)}</span>}
              </span>
            </label>
          </li>
        ))}
      </ul>
      {error && <p className="text-xs text-bad">{sentence(error)}</p>}
    </>
  );
}

/** The fields of the document's block; what the engine allows is known where it knows the field. */
function CustomFields({ block }: { block: Block }) {
  const { schema } = useTaskForm();
  const keys = [...keysAt(schema, [block.place]).keys()].filter((key) => key !== "presets");
  const seen = new Set<string>();
  const shownKeys = keys.filter((key) => {
    const name = parameterNamed(block.fields, key)?.name;
    if (!name || seen.has(name)) return false;
    seen.add(name);
    return true;
  });
  return (
    <div className="grid gap-3 sm:grid-cols-2">
      {shownKeys.map((key) => (
        <CustomField key={key} block={block} name={key} />
      ))}
    </div>
  );
}

function CustomField({ block, name }: { block: Block; name: string }) {
  const { data, change } = useTaskForm();
  const { value, known, error } = useDocumentField([block.place, name]);
  const parameter = parameterNamed(block.fields, name);
  const given = value !== undefined && value !== null;
  const put = (next: unknown) => {
    // The last field of a block that is taken away leaves the block: its way is still “Custom”.
    const holder = valueAt(data, [block.place]);
    const last = next === undefined && isMapping(holder) && Object.keys(holder).every((key) => key === name);
    change(last ? [[block.place], {}] : [[block.place, name], next]);
  };
  const first = parameter?.choices?.length ? [parameter.choices[0]] : [parameter?.default ?? parameter?.low ?? 1];
  return (
    <div className="grid content-start gap-1">
      <label className="flex items-center gap-2 text-[13px] font-medium">
        <input
          type="checkbox"
          className="size-3.5 accent-accent"
          checked={given}
          onChange={(event) => put(event.target.checked ? (parameter?.type === "bool" ? [true] : first) : undefined)}
        />
        {known?.label ?? labelOf(name)}
      </label>
      <p className="text-xs text-ink-soft">{known && sentence(known.description)}</p>
      {given && <SearchedInput name={name} value={value} allowed={parameter && allowedOf(parameter)} onValue={put} />}
      {error && <p className="text-xs text-bad">{sentence(error)}</p>}
    </div>
  );
}
