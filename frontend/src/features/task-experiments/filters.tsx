import { experimentStatusWord } from "@/components/status/status-badge";
import { cx } from "@/components/ui/class-names";
import { Field, Select } from "@/components/ui/field";
import { type ExperimentsSearch, ORIGINS, type SearchChanges, STATUSES } from "@/features/task-experiments/search";
import { originName } from "@/format/phases";

interface FiltersProps {
  search: ExperimentsSearch;
  /** How many there are of each state; those of none are left out unless they are chosen. */
  counts: Readonly<Record<string, number>>;
  onChange: (changes: SearchChanges) => void;
}

/** By what the table is filtered. */
export function Filters({ search, counts, onChange }: FiltersProps) {
  const chosen = search.status ?? [];
  const offered = STATUSES.filter((status) => (counts[status] ?? 0) > 0 || chosen.includes(status));
  const toggle = (status: (typeof STATUSES)[number]) => {
    const next = chosen.includes(status) ? chosen.filter((one) => one !== status) : [...chosen, status];
    onChange({ status: next });
  };
  return (
    <div className="flex flex-wrap items-end gap-x-5 gap-y-3">
      <fieldset className="grid gap-1">
        <legend className="mb-1 text-[13px] font-medium">Status</legend>
        <div className="flex flex-wrap gap-1.5">
          {offered.length === 0 && <span className="text-sm text-ink-soft">–</span>}
          {offered.map((status) => (
            <button
              key={status}
              type="button"
              aria-pressed={chosen.includes(status)}
              onClick={() => toggle(status)}
              className={cx(
                "h-9 cursor-pointer rounded-md border px-2.5 text-sm",
                chosen.includes(status)
                  ? "border-accent bg-accent-soft font-medium text-accent"
                  : "border-line bg-surface hover:border-line-strong",
              )}
            >
              {experimentStatusWord(status)} <span className="figures text-ink-soft">{counts[status] ?? 0}</span>
            </button>
          ))}
        </div>
      </fieldset>
      <Field label="Asked for by">
        {(tied) => (
          <Select
            {...tied}
            value={search.origin ?? ""}
            onChange={({ target }) => onChange({ origin: ORIGINS.find((one) => one === target.value) })}
          >
            <option value="">Any</option>
            {ORIGINS.map((origin) => (
              <option key={origin} value={origin}>
                {originName(origin)}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Field label="Hard SLOs">
        {(tied) => (
          <Select
            {...tied}
            value={search.slo ?? ""}
            onChange={({ target }) =>
              onChange({ slo: target.value === "kept" || target.value === "broken" ? target.value : undefined })
            }
          >
            <option value="">Any</option>
            <option value="kept">Kept</option>
            <option value="broken">Broken</option>
          </Select>
        )}
      </Field>
    </div>
  );
}
