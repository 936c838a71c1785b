import { createContext, type ReactNode, use, useCallback, useMemo, useRef } from "react";
import type { ProblemDetails } from "@/api/problem";
import { isAt, type Path, valueAt } from "@/features/task-form/document/path";
import { type Data, type Reading, read, withValue } from "@/features/task-form/document/text";
import { fieldAt, type JsonSchema, type KnownField } from "@/features/task-form/schema/lookup";

/** One thing that the service finds wrong, at the field that it is about. */
export interface Fault {
  place: string | null;
  detail: string;
  remedy: string;
}

export interface TaskFormState {
  /** The document as its YAML text: the one thing that is edited. */
  text: string;
  reading: Reading;
  /** What the text says; what it said last while it is no YAML. */
  data: Data;
  schema: JsonSchema;
  faults: readonly Fault[];
  setText: (text: string) => void;
  /** Gives places other values; undefined takes one away. */
  change: (...changes: readonly [Path, unknown][]) => void;
}

const State = createContext<TaskFormState | null>(null);

interface ProviderProps {
  text: string;
  setText: (text: string) => void;
  schema: JsonSchema;
  faults: readonly Fault[];
  children: ReactNode;
}

export function TaskFormProvider({ text, setText, schema, faults, children }: ProviderProps) {
  const reading = useMemo(() => read(text), [text]);
  const last = useRef<Data>({});
  if (reading.data) last.current = reading.data;
  const data = reading.data ?? last.current;
  const latest = useRef(text);
  latest.current = text;
  const change = useCallback(
    (...changes: readonly [Path, unknown][]) => {
      latest.current = changes.reduce((now, [path, value]) => withValue(now, path, value), latest.current);
      setText(latest.current);
    },
    [setText],
  );
  const state = useMemo(
    () => ({ text, reading, data, schema, faults, setText, change }),
    [text, reading, data, schema, faults, setText, change],
  );
  return <State value={state}>{children}</State>;
}

export function useTaskForm(): TaskFormState {
  const state = use(State);
  if (!state) throw new Error("outside a task form");
  return state;
}

export interface FieldState {
  path: Path;
  value: unknown;
  known: KnownField | null;
  /** What is wrong with it, in the service's words. */
  error: string | undefined;
  set: (value: unknown) => void;
}

/** A field of the document. `inner`: faults of what lies in it are its own, too. */
export function useDocumentField(path: Path, inner = true): FieldState {
  const { data, schema, faults, change } = useTaskForm();
  const place = path.join(".");
  const wrong = faults.filter(
    (fault) => fault.place !== null && (inner ? isAt(fault.place, path) : fault.place === place),
  );
  return {
    path,
    value: valueAt(data, path),
    known: fieldAt(schema, path),
    error: wrong.length ? wrong.map((fault) => `${fault.detail}. ${fault.remedy}`).join(" ") : undefined,
    set: (value) => change([path, value]),
  };
}

/** Everything that the service found wrong, each at its place. */
export function faultsOf(details: ProblemDetails | null): Fault[] {
  if (!details) return [];
  if (details.errors?.length) {
    return details.errors.map((one) => ({ place: one.place ?? null, detail: one.detail, remedy: one.remedy ?? "" }));
  }
  const detail = details.why ? `${details.detail}: ${details.why}` : (details.detail ?? details.title);
  return [{ place: details.place ?? null, detail, remedy: details.remedy ?? "" }];
}
