import { Link } from "@tanstack/react-router";
import { Columns3 } from "lucide-react";
import { useDeferredValue, useMemo } from "react";
import type { MetricName, TaskResult } from "@/api/results";
import { Button } from "@/components/ui/button";
import { DataTable, type Sort } from "@/components/ui/data-table";
import { Field, Select, TextInput } from "@/components/ui/field";
import { Menu, MenuCheck, MenuItem, MenuLine } from "@/components/ui/menu";
import { Panel } from "@/components/ui/panel";
import { type Choosable, experimentColumns, isWanted } from "@/features/results/experiment-columns";
import { MOST_PICKED, type ResultsSearch } from "@/features/results/search";
import { counted, titleOf } from "@/features/results/shaping";
import { useResultsSearch } from "@/features/results/use-results-search";
import { csv } from "@/format/csv";
import { fileName, saveText } from "@/format/saving";

/** All experiments: found, sorted, with the columns that people choose, and up to eight put side by side. */
export function ExperimentsView({ result, names }: { result: TaskResult; names: readonly MetricName[] }) {
  const [search, change] = useResultsSearch();
  const find = useDeferredValue(search.find ?? "");
  const all = useMemo(() => experimentColumns(result, names), [result, names]);
  const columns = useMemo(() => shownColumns(all, search.columns), [all, search.columns]);
  const rows = useMemo(
    () => (result.experiments ?? []).filter((row) => isWanted(result, row, find, search.state)),
    [result, find, search.state],
  );
  const picked = search.pick ?? [];
  const ids = picked.flatMap((number) => result.experiments?.find((row) => row.number === number)?.id ?? []);
  const save = () => {
    const table = {
      columns: columns.map((one) => one.saved),
      rows: rows.map((row) => columns.map((one) => one.plain(row))),
    };
    saveText(`${fileName(result.task_name, "experiments")}.csv`, csv(table), "text/csv");
  };
  return (
    <Panel flush>
      <div className="flex flex-wrap items-end gap-3 px-4 pt-4 pb-3">
        <Field label="Find" className="w-60 max-sm:w-full">
          {(tied) => (
            <TextInput
              {...tied}
              type="search"
              placeholder="A number, a value, a reason"
              value={search.find ?? ""}
              onChange={(event) => change({ find: event.target.value || undefined })}
            />
          )}
        </Field>
        <Field label="Show" className="w-48">
          {(tied) => (
            <Select
              {...tied}
              value={search.state ?? ""}
              onChange={(event) => change({ state: (event.target.value || undefined) as ResultsSearch["state"] })}
            >
              <option value="">all</option>
              <option value="met">keeps the hard SLOs</option>
              <option value="violated">violates a hard SLO</option>
              <option value="failed">failed</option>
            </Select>
          )}
        </Field>
        <ColumnChoice all={all} shown={columns} onChange={(chosen) => change({ columns: chosen })} />
        <Button onClick={save}>Save as CSV</Button>
        <div className="ml-auto flex items-center gap-3">
          <p aria-live="polite" className="text-sm text-ink-soft">
            {picked.length > 0
              ? `${picked.length} of at most ${MOST_PICKED} chosen`
              : `${counted(rows.length, "experiment")}; choose up to ${MOST_PICKED} to compare`}
          </p>
          {ids.length > 1 ? (
            <Button asChild look="primary">
              <Link to="/compare" search={{ ids: ids.join(",") }}>
                Compare {ids.length}
              </Link>
            </Button>
          ) : (
            <Button look="primary" disabled>
              Compare
            </Button>
          )}
        </div>
      </div>
      <DataTable
        label="Experiments"
        rows={rows}
        columns={columns}
        rowId={(row) => String(row.number)}
        rowLabel={(row) => titleOf(result, row.number)}
        sort={sortOf(search.sort)}
        onSort={(sort) => change({ sort: sort.descending ? `-${sort.by}` : sort.by })}
        selection={{
          ids: picked.map(String),
          most: MOST_PICKED,
          onChange: (chosen) => change({ pick: chosen.length ? chosen.map(Number) : undefined }),
        }}
        rowClass={(row) => (row.number === result.winner?.number ? "font-medium" : undefined)}
        empty={<p className="px-4 py-10 text-center text-sm text-ink-soft">No experiment is like that.</p>}
      />
    </Panel>
  );
}

export function sortOf(text: string | undefined): Sort | null {
  if (!text) return { by: "number", descending: false };
  return text.startsWith("-") ? { by: text.slice(1), descending: true } : { by: text, descending: false };
}

/** The chosen columns in their usual order; the first one always. */
export function shownColumns(all: readonly Choosable[], chosen: readonly string[] | undefined): Choosable[] {
  return all.filter((column, at) => at === 0 || (chosen ? chosen.includes(column.id) : column.usual));
}

interface ColumnChoiceProps {
  all: readonly Choosable[];
  shown: readonly Choosable[];
  onChange: (ids: string[] | undefined) => void;
}

function ColumnChoice({ all, shown, onChange }: ColumnChoiceProps) {
  const ids = shown.map((column) => column.id);
  const turn = (id: string) => onChange(ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id]);
  return (
    <Menu
      trigger={
        <Button>
          <Columns3 size={15} aria-hidden /> Columns
        </Button>
      }
    >
      {all.slice(1).map((column) => (
        <MenuCheck
          key={column.id}
          label={column.head}
          checked={ids.includes(column.id)}
          onChange={() => turn(column.id)}
        />
      ))}
      <MenuLine />
      <MenuItem onSelect={() => onChange(undefined)}>The usual ones</MenuItem>
    </Menu>
  );
}
