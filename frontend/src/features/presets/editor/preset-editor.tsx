import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { toast } from "sonner";
import { engineList } from "@/api/engines";
import { keys } from "@/api/keys";
import { changePreset, createPreset, type Preset, type PresetFields } from "@/api/presets";
import { Problem } from "@/api/problem";
import { Failed } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { CONTROL, Field, Select, TextInput } from "@/components/ui/field";
import { bodyOf, type DraftProblems, draftOf, type PresetDraft } from "@/features/presets/editor/draft";
import { ParameterRows } from "@/features/presets/editor/parameter-rows";

const CATEGORIES = ["performance", "memory", "general", "custom"];

interface PresetEditorProps {
  /** The one that is changed; null: a new one. */
  preset: Preset | null;
  onDone: (id: number) => void;
  onLeave: () => void;
}

/** A form for what a preset says. What is stored becomes its next revision. */
export function PresetEditor({ preset, onDone, onLeave }: PresetEditorProps) {
  // What the draft was begun from: a revision that comes meanwhile is a conflict, not silently written over.
  const [base] = useState(preset);
  const [draft, setDraft] = useState<PresetDraft>(() => draftOf(preset));
  const [problems, setProblems] = useState<DraftProblems>({});
  const engines = useQuery(engineList);
  const queries = useQueryClient();
  const categories = useId();
  const store = useMutation({
    mutationFn: (body: PresetFields) =>
      base === null ? createPreset(body) : changePreset(base.id, body, base.revision),
    onSuccess: ({ id, name, warnings }) => {
      toast.success(`${name} was stored`, warnings.length > 0 ? { description: warnings.join(" ") } : {});
      onDone(id);
      return queries.invalidateQueries({ queryKey: keys.presets });
    },
    onError: (error) => {
      if (base !== null && error instanceof Problem && error.status === 409)
        void queries.invalidateQueries({ queryKey: keys.presets });
    },
  });
  const set = (changes: Partial<PresetDraft>) => setDraft((before) => ({ ...before, ...changes }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const made = bodyOf(draft);
    setProblems("problems" in made ? made.problems : {});
    if ("body" in made) store.mutate(made.body);
  };
  return (
    <form onSubmit={submit} className="grid max-w-3xl gap-4" noValidate>
      {store.error && <Failed error={store.error} />}
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Name" error={problems.name} className="sm:col-span-2">
          {(tied) => (
            <TextInput
              {...tied}
              maxLength={255}
              value={draft.name}
              onChange={({ target }) => set({ name: target.value })}
            />
          )}
        </Field>
        <Field label="Description" hint="What it is for" className="sm:col-span-2">
          {(tied) => (
            <TextInput
              {...tied}
              value={draft.description}
              onChange={({ target }) => set({ description: target.value })}
            />
          )}
        </Field>
        <Field label="Category" hint="One of the usual ones, or a word of your own">
          {(tied) => (
            <>
              <TextInput
                {...tied}
                list={categories}
                maxLength={255}
                value={draft.category}
                onChange={({ target }) => set({ category: target.value })}
              />
              <datalist id={categories}>
                {CATEGORIES.map((category) => (
                  <option key={category} value={category} />
                ))}
              </datalist>
            </>
          )}
        </Field>
        <Field label="Engine" hint="Whose parameters it names; any: they are translated for each">
          {(tied) => (
            <Select {...tied} value={draft.runtime} onChange={({ target }) => set({ runtime: target.value })}>
              <option value="any">any</option>
              {(engines.data ?? []).map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
              {draft.runtime !== "any" && !engines.data?.some(({ name }) => name === draft.runtime) && (
                <option value={draft.runtime}>{draft.runtime}</option>
              )}
            </Select>
          )}
        </Field>
      </div>
      <ParameterRows rows={draft.rows} runtime={draft.runtime} problems={problems} onChange={(rows) => set({ rows })} />
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Tags" hint="Words to find it by, with commas between them">
          {(tied) => <TextInput {...tied} value={draft.tags} onChange={({ target }) => set({ tags: target.value })} />}
        </Field>
        <Field label="Recommended for" hint="Situations that it suits, with commas between them">
          {(tied) => (
            <TextInput
              {...tied}
              value={draft.recommendedFor}
              onChange={({ target }) => set({ recommendedFor: target.value })}
            />
          )}
        </Field>
        <Field label="Author">
          {(tied) => (
            <TextInput {...tied} value={draft.author} onChange={({ target }) => set({ author: target.value })} />
          )}
        </Field>
      </div>
      <Field
        label="Blocks, rules and requirements"
        hint="YAML with config (structured blocks as in a task), rules (when, require, message) and requires (presets that are merged before it)"
        error={problems.more}
      >
        {(tied) => (
          <textarea
            {...tied}
            rows={Math.min(16, Math.max(4, draft.more.split("\n").length + 1))}
            spellCheck={false}
            className={`${CONTROL} h-auto! py-2 font-mono text-[13px]`}
            value={draft.more}
            onChange={({ target }) => set({ more: target.value })}
          />
        )}
      </Field>
      <div className="flex gap-2">
        <Button type="submit" look="primary" busy={store.isPending}>
          {base === null ? "Store the preset" : `Store as revision ${base.revision + 1}`}
        </Button>
        <Button onClick={onLeave}>Leave it</Button>
      </div>
    </form>
  );
}
