import { Field, Select, TextInput } from "@/components/ui/field";
import type { Path } from "@/features/task-form/document/path";
import { shown, typed, typedList } from "@/features/task-form/document/values";
import { TypedInput } from "@/features/task-form/fields/typed-input";
import { type KnownField, labelOf } from "@/features/task-form/schema/lookup";
import { useDocumentField } from "@/features/task-form/task-form-state";

interface DocumentFieldProps {
  path: Path;
  /** In place of the key's name. */
  label?: string;
  /** Without what the schema says of it, where a section says it already. */
  bare?: boolean;
  className?: string;
  placeholder?: string;
  /** What it says when nothing is given; the schema's default otherwise. */
  suggestions?: readonly string[];
}

/** Any field of the document, as its schema describes it. */
export function DocumentField({ path, label, bare, className, placeholder, suggestions }: DocumentFieldProps) {
  const { value, known, error, set } = useDocumentField(path);
  if (!known) return null;
  const fallback = placeholder ?? defaultText(known);
  const list = suggestions?.length ? `suggestions-${path.join("-")}` : undefined;
  return (
    <Field
      label={label ?? known.label}
      hint={bare ? undefined : sentence(known.description)}
      error={error}
      {...(className && { className })}
    >
      {(tied) => {
        const common = { ...tied, ...(list && { list }) };
        if (known.kind === "choice" && !Array.isArray(value)) {
          return (
            <Select {...tied} value={text(value)} onChange={(event) => set(event.target.value || undefined)}>
              <option value="">{fallback ? `Default: ${labelOf(fallback)}` : "Not given"}</option>
              {choices(known, value).map((one) => (
                <option key={one} value={one}>
                  {one}
                </option>
              ))}
            </Select>
          );
        }
        if (known.kind === "switch") {
          return (
            <Select
              {...tied}
              value={value === undefined ? "" : String(value)}
              onChange={(event) => set(event.target.value === "" ? undefined : event.target.value === "true")}
            >
              <option value="">{known.default === undefined ? "Not given" : `Default: ${yesNo(known.default)}`}</option>
              <option value="true">Yes</option>
              <option value="false">No</option>
            </Select>
          );
        }
        if (known.kind === "number") {
          return (
            <TypedInput
              {...common}
              inputMode={known.whole ? "numeric" : "decimal"}
              className="figures"
              placeholder={fallback}
              value={value}
              shown={shown}
              typed={typed}
              onValue={set}
            />
          );
        }
        if (known.kind === "text" && (typeof value === "string" || value === undefined || value === null)) {
          return (
            <>
              <TextInput
                {...common}
                value={text(value)}
                placeholder={fallback}
                onChange={(event) => set(event.target.value || undefined)}
              />
              {list && <Suggestions id={list} values={suggestions ?? []} />}
            </>
          );
        }
        const many = known.kind === "list" || Array.isArray(value);
        const listed = (text: string): unknown => {
          const found = typedList(text);
          // One value without a list stays without one.
          return known.single && found?.length === 1 && !Array.isArray(value) ? found[0] : found;
        };
        return (
          <>
            <TypedInput
              {...common}
              className="font-mono text-[13px]"
              placeholder={fallback}
              value={value ?? undefined}
              shown={shown}
              typed={many ? listed : typed}
              onValue={set}
            />
            {list && <Suggestions id={list} values={suggestions ?? []} />}
          </>
        );
      }}
    </Field>
  );
}

function Suggestions({ id, values }: { id: string; values: readonly string[] }) {
  return (
    <datalist id={id}>
      {values.map((one) => (
        <option key={one} value={one} />
      ))}
    </datalist>
  );
}

const text = (value: unknown): string => (value === undefined || value === null ? "" : String(value));
const yesNo = (value: unknown): string => (value ? "yes" : "no");

/** The names to choose from, and the one that stands there now even if it is none of them. */
const choices = (known: KnownField, value: unknown): string[] =>
  typeof value === "string" && value && !known.choices.includes(value) ? [value, ...known.choices] : [...known.choices];

export const defaultText = (known: KnownField): string =>
  known.default === undefined || known.default === "" ? "" : shown(known.default);

/** As a sentence: the service's words begin small. Names of keys stay as they are. */
export const sentence = (words: string): string =>
  /^\S*[_.]\S/.test(words) ? words : words.charAt(0).toUpperCase() + words.slice(1);
