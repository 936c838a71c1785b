import { Select } from "@/components/ui/field";
import { isMapping } from "@/features/task-form/document/path";
import { type Mode, modeOf, shown, typed, typedList } from "@/features/task-form/document/values";
import { TypedInput } from "@/features/task-form/fields/typed-input";

/** What is known of a parameter's values. */
export interface Allowed {
  type: string;
  choices: readonly unknown[];
  suggested: readonly unknown[];
  low: number | null;
  high: number | null;
  default: unknown;
}

interface SearchedInputProps {
  name: string;
  value: unknown;
  allowed: Allowed | null;
  onValue: (value: unknown) => void;
  tied?: { id?: string; "aria-describedby"?: string; "aria-invalid"?: true };
}

const NUMERIC = new Set(["int", "float"]);
const MODES: Record<Mode, string> = { fixed: "One value", values: "Search values", range: "Search a range" };

/** One value, several that are searched, or a range. */
export function SearchedInput({ name, value, allowed, onValue, tied = {} }: SearchedInputProps) {
  const mode = modeOf(value);
  const listed = isMapping(value) && Array.isArray(value.values) ? value.values : value;
  const numeric = !allowed || NUMERIC.has(allowed.type) || modeOf(value) === "range";
  const known = [...new Set([...(allowed?.suggested ?? []), ...(allowed?.choices ?? [])])];
  const open = known.filter((one) => !(Array.isArray(listed) && listed.includes(one)) && listed !== one);
  const switchTo = (next: Mode) => {
    const values = Array.isArray(listed) ? listed : listed === undefined || isMapping(listed) ? [] : [listed];
    if (next === "fixed") onValue(values[0] ?? allowed?.default ?? known[0] ?? null);
    if (next === "values") onValue(values.length ? values : known.length ? known.slice(0, 2) : [allowed?.default ?? 1]);
    if (next === "range") onValue(rangeFrom(values, allowed));
  };
  return (
    <div className="grid gap-1.5">
      <div className="flex flex-wrap gap-1.5">
        <Select
          aria-label={`How ${name} is given`}
          className="max-w-40"
          value={mode}
          onChange={(event) => switchTo(event.target.value as Mode)}
        >
          {(Object.keys(MODES) as Mode[])
            .filter((one) => one !== "range" || numeric)
            .map((one) => (
              <option key={one} value={one}>
                {MODES[one]}
              </option>
            ))}
        </Select>
        {mode === "range" && isMapping(value) ? (
          <RangeInputs name={name} range={value} onValue={onValue} />
        ) : (
          <div className="min-w-40 grow">
            <TypedInput
              {...tied}
              aria-label={`Value of ${name}`}
              className="figures font-mono text-[13px]"
              placeholder={shown(allowed?.default)}
              value={listed}
              shown={shown}
              typed={mode === "values" ? typedList : typed}
              // A parameter without a value stays one: it is taken away with its button.
              onValue={(next) => onValue(next ?? (mode === "values" ? [] : null))}
            />
          </div>
        )}
      </div>
      {mode !== "range" && open.length > 0 && (
        <div className="flex flex-wrap items-center gap-1 text-xs text-ink-soft">
          {mode === "values" ? "Add" : "Use"}
          {open.slice(0, 12).map((one) => (
            <button
              key={String(one)}
              type="button"
              className="figures cursor-pointer rounded border border-line px-1.5 py-0.5 font-mono hover:border-line-strong hover:text-ink"
              onClick={() =>
                onValue(mode === "values" ? inOrder([...(Array.isArray(listed) ? listed : []), one]) : one)
              }
            >
              {shown(one)}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function RangeInputs({
  name,
  range,
  onValue,
}: {
  name: string;
  range: Record<string, unknown>;
  onValue: (value: unknown) => void;
}) {
  return (
    <div className="flex grow flex-wrap items-center gap-1.5">
      {(["low", "high", "step"] as const).map((key) => (
        <TypedInput
          key={key}
          aria-label={`${key} of ${name}`}
          placeholder={key}
          inputMode="decimal"
          className="figures max-w-24"
          value={range[key]}
          shown={shown}
          typed={typed}
          onValue={(next) => {
            const { [key]: _, ...others } = range;
            onValue(next === undefined ? others : { ...range, [key]: next });
          }}
        />
      ))}
      <label className="flex items-center gap-1.5 text-sm">
        <input
          type="checkbox"
          className="size-3.5 accent-accent"
          checked={range.log === true}
          onChange={(event) => {
            const { log: _, ...others } = range;
            onValue(event.target.checked ? { ...others, log: true } : others);
          }}
        />
        Logarithmic
      </label>
    </div>
  );
}

/** A range over what was listed. */
function rangeFrom(values: readonly unknown[], allowed: Allowed | null): Record<string, unknown> {
  const numbers = [...values, ...(allowed?.suggested ?? [])].filter((one): one is number => typeof one === "number");
  const low = numbers.length ? Math.min(...numbers) : (allowed?.low ?? 1);
  const high = numbers.length ? Math.max(...numbers) : (allowed?.high ?? low);
  const whole = allowed ? allowed.type === "int" : numbers.every(Number.isInteger);
  return { type: whole ? "int" : "float", low, high: high > low ? high : low + 1 };
}

/** Numbers by size; anything else stays in the order in which it was added. */
const inOrder = (values: unknown[]): unknown[] =>
  values.every((one): one is number => typeof one === "number") ? values.toSorted((a, b) => a - b) : values;
