import { cx } from "@/components/ui/class-names";

interface ChoicesProps<Value extends string> {
  label: string;
  options: readonly { value: Value; label: string; count?: number }[];
  chosen: readonly Value[];
  onChange: (chosen: Value[]) => void;
}

/** Any of a few words, each to be switched on. */
export function Choices<Value extends string>({ label, options, chosen, onChange }: ChoicesProps<Value>) {
  const toggle = (value: Value) =>
    onChange(chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value]);
  return (
    <fieldset aria-label={label} className="flex flex-wrap gap-1.5">
      {options.map(({ value, label: text, count }) => (
        <button
          key={value}
          type="button"
          aria-pressed={chosen.includes(value)}
          onClick={() => toggle(value)}
          className={cx(
            "h-9 cursor-pointer rounded-md border px-2.5 text-sm",
            chosen.includes(value)
              ? "border-accent bg-accent-soft font-medium text-accent"
              : "border-line bg-surface text-ink-soft hover:border-line-strong hover:text-ink",
          )}
        >
          {text}
          {count !== undefined && <span className="figures ml-1.5 opacity-80">{count}</span>}
        </button>
      ))}
    </fieldset>
  );
}
