import { useQuery } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { useId, useState } from "react";
import type { Schema } from "@/api/client";
import { engineParameters } from "@/api/engines";
import { Failed } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { TextInput } from "@/components/ui/field";
import { isMapping } from "@/features/task-form/document/path";
import { allowedOf, factsOf, parameterNamed } from "@/features/task-form/fields/allowed";
import { sentence } from "@/features/task-form/fields/document-field";
import { SearchedInput } from "@/features/task-form/fields/searched-input";
import { useDocumentField, useTaskForm } from "@/features/task-form/task-form-state";

type Parameter = Schema<"CatalogueParameter">;

/** The engine's parameters that the document gives: searched or fixed. */
export function Parameters({ engine }: { engine: string }) {
  const { value, error } = useDocumentField(["parameters"], false);
  const catalogue = useQuery(engineParameters(engine));
  const known = catalogue.data?.items ?? [];
  const names = isMapping(value) ? Object.keys(value) : [];
  return (
    <div className="grid gap-3">
      {catalogue.error && <Failed error={catalogue.error} again={() => void catalogue.refetch()} />}
      {names.length === 0 && (
        <p className="text-sm text-ink-soft">
          The document gives no engine parameter: profiles, presets and the blocks under “Structured” say what is
          searched.
        </p>
      )}
      <ul className="grid gap-3">
        {names.map((name) => (
          <ParameterRow key={name} name={name} parameter={parameterNamed(known, name)} />
        ))}
      </ul>
      {error && <p className="text-xs text-bad">{error}</p>}
      <AddParameter engine={engine} known={known} taken={names} />
    </div>
  );
}

function ParameterRow({ name, parameter }: { name: string; parameter: Parameter | null }) {
  const { value, error, set } = useDocumentField(["parameters", name]);
  const id = useId();
  return (
    <li className="grid gap-1.5 border-b border-line pb-3 last:border-b-0">
      <div className="flex items-start justify-between gap-2">
        <div>
          <h3 className="font-mono text-[13px] font-medium">{name}</h3>
          <p id={`${id}-help`} className="text-xs text-ink-soft">
            {parameter
              ? `${sentence(parameter.help ?? "")} (${factsOf(parameter)})`
              : "A setting that the catalogue does not list by that name."}
          </p>
          {parameter?.danger && <p className="text-xs text-warn">{sentence(parameter.danger)}</p>}
        </div>
        <Button look="quiet" size="icon" aria-label={`Remove ${name}`} onClick={() => set(undefined)}>
          <X size={15} aria-hidden />
        </Button>
      </div>
      <SearchedInput
        name={name}
        value={value}
        allowed={parameter && allowedOf(parameter)}
        onValue={set}
        tied={{
          "aria-describedby": error ? `${id}-help ${id}-error` : `${id}-help`,
          ...(error && { "aria-invalid": true as const }),
        }}
      />
      {error && (
        <p id={`${id}-error`} className="text-xs text-bad">
          {sentence(error)}
        </p>
      )}
    </li>
  );
}

function AddParameter({
  engine,
  known,
  taken,
}: {
  engine: string;
  known: readonly Parameter[];
  taken: readonly string[];
}) {
  const { change } = useTaskForm();
  const [name, setName] = useState("");
  const id = useId();
  const have = new Set(taken.map((one) => parameterNamed(known, one)?.name ?? one));
  const open = known.filter((one) => !have.has(one.name));
  const tuned = open.filter((one) => one.commonly_tuned?.length);
  const add = (wanted: string) => {
    const parameter = parameterNamed(known, wanted);
    const values = parameter?.commonly_tuned?.length
      ? parameter.commonly_tuned.slice(0, 3)
      : parameter?.type === "bool"
        ? [false, true]
        : [parameter?.default ?? parameter?.low ?? 1];
    change([["parameters", parameter?.name ?? wanted], values]);
    setName("");
  };
  return (
    <div className="grid gap-2">
      <form
        className="flex gap-1.5"
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim()) add(name.trim());
        }}
      >
        <TextInput
          aria-label={`Name of a parameter of ${engine}`}
          list={id}
          className="font-mono text-[13px]"
          placeholder={`a parameter of ${engine}`}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <datalist id={id}>
          {open.map((one) => (
            <option key={one.name} value={one.name}>
              {one.help}
            </option>
          ))}
        </datalist>
        <Button type="submit" disabled={!name.trim()}>
          <Plus size={15} aria-hidden /> Add
        </Button>
      </form>
      {tuned.length > 0 && (
        <div className="flex flex-wrap items-center gap-1 text-xs text-ink-soft">
          Commonly tuned:
          {tuned.slice(0, 14).map((one) => (
            <button
              key={one.name}
              type="button"
              title={sentence(one.help ?? "")}
              className="cursor-pointer rounded border border-line px-1.5 py-0.5 font-mono hover:border-line-strong hover:text-ink"
              onClick={() => add(one.name)}
            >
              {one.name}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
