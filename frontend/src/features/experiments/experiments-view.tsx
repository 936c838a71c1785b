import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { useMemo } from "react";
import { experimentListQuery } from "@/api/experiment-list";
import { taskListQuery } from "@/api/task-list";
import { Empty, QueryStates } from "@/components/states/states";
import { experimentStatusWord } from "@/components/status/status-badge";
import { Button } from "@/components/ui/button";
import { Choices } from "@/components/ui/choices";
import { DataTable } from "@/components/ui/data-table";
import { Select } from "@/components/ui/field";
import { Pager } from "@/components/ui/pager";
import { Panel } from "@/components/ui/panel";
import { CompareLink } from "@/features/compare/compare-link";
import { MOST_COMPARED } from "@/features/compare/ids";
import { columns } from "@/features/experiments/columns";
import { type AllExperimentsSearch, asked, orderOf, type SearchChanges } from "@/features/experiments/search";
import { STATUSES } from "@/features/task-experiments/search";
import { idsOf, idsText } from "@/format/id-lists";

interface ExperimentsViewProps {
  search: AllExperimentsSearch;
  onSearch: (changes: SearchChanges) => void;
}

/** The experiments of all tasks, the newest first, or of one. */
export function ExperimentsView({ search, onSearch }: ExperimentsViewProps) {
  const list = useQuery(experimentListQuery(asked(search)));
  const chosen = useMemo(() => idsOf(search.chosen), [search.chosen]);
  const oneTask = search.task !== undefined;
  const heads = useMemo(() => columns(oneTask), [oneTask]);
  return (
    <Panel flush>
      <div className="flex flex-wrap items-center gap-2 px-4 py-3">
        <Choices
          label="Status"
          options={STATUSES.map((value) => ({ value, label: experimentStatusWord(value) }))}
          chosen={search.status ?? []}
          onChange={(status) => onSearch({ status: status.length ? status : undefined, page: undefined })}
        />
        <TaskChoice search={search} onSearch={onSearch} />
        {oneTask && (
          <Select
            aria-label="Hard SLOs"
            className="w-auto!"
            value={search.slo ?? ""}
            onChange={({ target: { value } }) =>
              onSearch({ slo: value === "kept" || value === "broken" ? value : undefined, page: undefined })
            }
          >
            <option value="">Any SLO verdict</option>
            <option value="kept">Hard SLOs kept</option>
            <option value="broken">Hard SLOs broken</option>
          </Select>
        )}
      </div>
      {chosen.length > 0 && <ChosenBar chosen={chosen} onClear={() => onSearch({ chosen: undefined })} />}
      <QueryStates query={list}>
        {(page) => (
          <>
            <DataTable
              label="Experiments"
              rows={page.items}
              columns={heads}
              rowId={({ id }) => String(id)}
              rowLabel={({ experiment_id, task_name }) => `experiment ${experiment_id} of ${task_name}`}
              onServer
              sort={orderOf(search)}
              onSort={({ by, descending }) =>
                onSearch({ sort: by === "objective_score" ? by : "id", descending, page: undefined })
              }
              selection={{
                ids: chosen.map(String),
                most: MOST_COMPARED,
                onChange: (ids) => onSearch({ chosen: idsText(ids.map(Number)) }),
              }}
              empty={
                <Empty title={search.status || oneTask ? "No experiment matches" : "Nothing was measured yet"}>
                  Experiments come here as soon as a task starts its first server.
                </Empty>
              }
            />
            <Pager
              page={page.page}
              size={page.size}
              total={page.total}
              exact={page.total_exact ?? true}
              onPage={(next) => onSearch({ page: next > 1 ? next : undefined })}
            />
          </>
        )}
      </QueryStates>
    </Panel>
  );
}

/** What was chosen, on any page, and the way to see it side by side. */
function ChosenBar({ chosen, onClear }: { chosen: readonly number[]; onClear: () => void }) {
  return (
    <section
      aria-label="Chosen experiments"
      className="flex flex-wrap items-center gap-2 border-b border-line bg-accent-soft/40 px-4 py-2 text-sm"
    >
      <span className="figures mr-auto font-medium">
        {chosen.length} of at most {MOST_COMPARED} chosen
      </span>
      <CompareLink to="/compare" ids={chosen} />
      <Button size="small" look="quiet" onClick={onClear}>
        Choose none
      </Button>
    </section>
  );
}

/** Of which task. Filters and orders that need one appear with it. */
function TaskChoice({ search, onSearch }: ExperimentsViewProps) {
  const tasks = useQuery(taskListQuery({ sort: "updated_at", size: 200 }));
  const known = tasks.data?.items ?? [];
  const without = { task: undefined, slo: undefined, sort: undefined, descending: undefined, page: undefined };
  return (
    <div className="flex min-w-0 items-center gap-1">
      <Select
        aria-label="Task"
        className="w-auto! max-w-64"
        value={search.task ?? ""}
        onChange={({ target: { value } }) => onSearch(value ? { task: Number(value), page: undefined } : without)}
      >
        <option value="">All tasks</option>
        {search.task !== undefined && !known.some(({ id }) => id === search.task) && (
          <option value={search.task}>Task {search.task}</option>
        )}
        {known.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </Select>
      {search.task !== undefined && (
        <Button look="quiet" size="icon" aria-label="All tasks again" onClick={() => onSearch(without)}>
          <X size={16} aria-hidden />
        </Button>
      )}
    </div>
  );
}
