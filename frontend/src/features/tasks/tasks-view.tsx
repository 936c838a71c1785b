import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { taskListQuery } from "@/api/task-list";
import { Empty, QueryStates } from "@/components/states/states";
import { taskStatusWord } from "@/components/status/status-badge";
import { Button } from "@/components/ui/button";
import { Choices } from "@/components/ui/choices";
import { DataTable } from "@/components/ui/data-table";
import { Select } from "@/components/ui/field";
import { Pager } from "@/components/ui/pager";
import { Panel } from "@/components/ui/panel";
import { SearchInput } from "@/components/ui/search-input";
import { BulkBar } from "@/features/tasks/bulk-bar";
import { COLUMNS } from "@/features/tasks/columns";
import { asked, isFiltered, orderOf, type SearchChanges, STATUSES, type TasksSearch } from "@/features/tasks/search";
import { idsOf, idsText } from "@/format/id-lists";

interface TasksViewProps {
  search: TasksSearch;
  onSearch: (changes: SearchChanges) => void;
}

/** All tasks: filtered, sorted and paged by the service, with what can be done with them. */
export function TasksView({ search, onSearch }: TasksViewProps) {
  const list = useQuery(taskListQuery(asked(search)));
  const chosen = useMemo(() => idsOf(search.chosen), [search.chosen]);
  const onWords = useCallback((words: string) => onSearch({ search: words || undefined, page: undefined }), [onSearch]);
  const rows = list.data?.items ?? [];
  return (
    <Panel flush>
      <div className="flex flex-wrap items-center gap-2 px-4 py-3">
        <SearchInput label="Search by name" value={search.search ?? ""} onChange={onWords} />
        <Choices
          label="Status"
          options={STATUSES.map((value) => ({ value, label: taskStatusWord(value) }))}
          chosen={search.status ?? []}
          onChange={(status) => onSearch({ status: status.length ? status : undefined, page: undefined })}
        />
        <Select
          aria-label="Which tasks"
          className="w-auto!"
          value={search.view ?? ""}
          onChange={({ target }) =>
            onSearch({
              view: target.value === "archived" || target.value === "deleted" ? target.value : undefined,
              page: undefined,
              chosen: undefined,
            })
          }
        >
          <option value="">Present tasks</option>
          <option value="archived">Archived runs</option>
          <option value="deleted">Deleted tasks</option>
        </Select>
      </div>
      {chosen.length > 0 && (
        <BulkBar tasks={rows.filter(({ id }) => chosen.includes(id))} onClear={() => onSearch({ chosen: undefined })} />
      )}
      <QueryStates query={list}>
        {(page) => (
          <>
            <DataTable
              label="Tasks"
              rows={page.items}
              columns={COLUMNS}
              rowId={({ id }) => String(id)}
              rowLabel={({ name }) => name}
              onServer
              sort={orderOf(search)}
              onSort={({ by, descending }) =>
                onSearch({ sort: by as NonNullable<TasksSearch["sort"]>, descending, page: undefined })
              }
              selection={{
                ids: chosen.map(String),
                onChange: (ids) => onSearch({ chosen: idsText(ids.map(Number)) }),
              }}
              empty={<NoTasks filtered={isFiltered(search)} onReset={() => onSearch(NOTHING)} />}
            />
            <Pager
              page={page.page}
              size={page.size}
              total={page.total}
              exact={page.total_exact ?? true}
              onPage={(next) => onSearch({ page: next > 1 ? next : undefined, chosen: undefined })}
            />
          </>
        )}
      </QueryStates>
    </Panel>
  );
}

const NOTHING: SearchChanges = { status: undefined, view: undefined, search: undefined, page: undefined };

function NoTasks({ filtered, onReset }: { filtered: boolean; onReset: () => void }) {
  if (filtered) {
    return <Empty title="No task matches" action={<Button onClick={onReset}>Show all</Button>} />;
  }
  return (
    <Empty
      title="There are no tasks yet"
      action={
        <Button asChild look="primary">
          <Link to="/tasks/new">New task</Link>
        </Button>
      }
    >
      A task names a model, an engine and what matters; the search for the best launch configuration is what it does.
    </Empty>
  );
}
