import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useCallback, useMemo } from "react";
import { engineList } from "@/api/engines";
import { presetChoices } from "@/api/preset-merging";
import { presetsQuery } from "@/api/presets";
import { PageHead } from "@/components/layout/page-head";
import { Empty, QueryStates } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { DataTable } from "@/components/ui/data-table";
import { Select } from "@/components/ui/field";
import { Pager } from "@/components/ui/pager";
import { Panel } from "@/components/ui/panel";
import { SearchInput } from "@/components/ui/search-input";
import { columns } from "@/features/presets/columns";
import { ImportPreset } from "@/features/presets/import-preset";
import { MergePreview } from "@/features/presets/merge-preview";
import { asked, isFiltered, type PresetsChanges, type PresetsSearch, SORTS } from "@/features/presets/search";
import { idsOf, idsText } from "@/format/id-lists";

interface PresetsViewProps {
  search: PresetsSearch;
  onSearch: (changes: PresetsChanges) => void;
}

/** All presets, and what several come to together. */
export function PresetsView({ search, onSearch }: PresetsViewProps) {
  const found = useQuery(presetsQuery(asked(search)));
  const all = useQuery(presetChoices);
  const chosen = idsOf(search.chosen);
  const shown = useMemo(() => columns((tag) => onSearch({ tag, page: undefined })), [onSearch]);
  return (
    <>
      <PageHead
        title="Presets"
        lead="Named sets of parameter values, to begin a task from. Those of the system are read-only: duplicate one to change it."
        actions={
          <>
            <ImportPreset />
            <Button asChild look="primary">
              <Link to="/presets/new">
                <Plus size={16} aria-hidden /> New preset
              </Link>
            </Button>
          </>
        }
      />
      <div className="grid gap-5">
        <Filters search={search} onSearch={onSearch} presets={all.data ?? []} />
        {chosen.length > 1 && (
          <MergePreview ids={chosen} presets={all.data ?? []} search={search} onSearch={onSearch} />
        )}
        <Panel flush>
          <QueryStates query={found} lines={6}>
            {({ items, page, size, total, total_exact }) => (
              <>
                <DataTable
                  label="Presets"
                  rows={items}
                  columns={shown}
                  rowId={({ id }) => String(id)}
                  rowLabel={({ name }) => name}
                  sort={{ by: search.sort ?? "id", descending: search.descending ?? false }}
                  onSort={({ by, descending }) =>
                    onSearch({ sort: SORTS.find((one) => one === by), descending, page: undefined })
                  }
                  onServer
                  selection={{
                    ids: chosen.map(String),
                    // The order of the merge is that of choosing.
                    onChange: (ids) => {
                      const next = ids.map(Number);
                      const kept = chosen.filter((id) => next.includes(id));
                      onSearch({ chosen: idsText([...kept, ...next.filter((id) => !kept.includes(id))]) });
                    },
                  }}
                  empty={
                    <Empty
                      title={isFiltered(search) ? "No preset is like that" : "There is no preset"}
                      action={
                        isFiltered(search) && (
                          <Button
                            onClick={() =>
                              onSearch({ category: undefined, tag: undefined, name: undefined, runtime: undefined })
                            }
                          >
                            Show all
                          </Button>
                        )
                      }
                    />
                  }
                />
                <Pager
                  page={page}
                  size={size}
                  total={total}
                  exact={total_exact}
                  onPage={(next) => onSearch({ page: next })}
                />
              </>
            )}
          </QueryStates>
        </Panel>
        {chosen.length === 1 && (
          <p className="text-sm text-ink-soft">Choose another one to see what they come to together.</p>
        )}
      </div>
    </>
  );
}

interface FiltersProps extends PresetsViewProps {
  /** All presets, for the categories and tags that there are. */
  presets: readonly { category: string; metadata?: { tags?: string[] } }[];
}

function Filters({ search, onSearch, presets }: FiltersProps) {
  const engines = useQuery(engineList);
  const categories = distinct([...presets.map(({ category }) => category), search.category]);
  const tags = distinct([...presets.flatMap(({ metadata }) => metadata?.tags ?? []), search.tag]);
  const onName = useCallback((text: string) => onSearch({ name: text || undefined, page: undefined }), [onSearch]);
  return (
    <div className="flex flex-wrap items-center gap-3">
      <SearchInput label="Search names and descriptions" value={search.name ?? ""} onChange={onName} />
      <OneOf
        label="Any category"
        options={categories}
        value={search.category}
        onChange={(category) => onSearch({ category, page: undefined })}
      />
      <OneOf label="Any tag" options={tags} value={search.tag} onChange={(tag) => onSearch({ tag, page: undefined })} />
      <OneOf
        label="Any engine"
        options={distinct([...(engines.data ?? []).map(({ name }) => name), search.runtime])}
        value={search.runtime}
        onChange={(runtime) => onSearch({ runtime, page: undefined })}
      />
    </div>
  );
}

interface OneOfProps {
  /** What is said when there is no filter; the name of the control too. */
  label: string;
  options: readonly string[];
  value: string | undefined;
  onChange: (value: string | undefined) => void;
}

function OneOf({ label, options, value, onChange }: OneOfProps) {
  return (
    <Select
      aria-label={label.replace("Any ", "").replace(/^./, (first) => first.toUpperCase())}
      className="w-auto!"
      value={value ?? ""}
      onChange={({ target }) => onChange(target.value || undefined)}
    >
      <option value="">{label}</option>
      {options.map((option) => (
        <option key={option} value={option}>
          {option}
        </option>
      ))}
    </Select>
  );
}

const distinct = (words: readonly (string | undefined)[]): string[] =>
  [...new Set(words.filter((word) => word !== undefined))].sort((one, other) => one.localeCompare(other));
