import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { taskExperimentsQuery } from "@/api/task-experiments";
import type { TaskView } from "@/api/tasks";
import { Empty, QueryStates } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { DataTable } from "@/components/ui/data-table";
import { Pager } from "@/components/ui/pager";
import { Panel } from "@/components/ui/panel";
import { columns } from "@/features/task-experiments/columns";
import { ExperimentAside } from "@/features/task-experiments/experiment-aside";
import { Filters } from "@/features/task-experiments/filters";
import { asked, type ExperimentsSearch, isFiltered, type SearchChanges } from "@/features/task-experiments/search";

interface TaskExperimentsProps {
  task: TaskView;
  search: ExperimentsSearch;
  onSearch: (changes: SearchChanges) => void;
}

/** All experiments of a task. */
export function TaskExperiments({ task, search, onSearch }: TaskExperimentsProps) {
  const found = useQuery(taskExperimentsQuery(task.id, asked(search)));
  const shown = useMemo(() => columns((open) => onSearch({ open })), [onSearch]);
  const { sort = "number", descending = false, open } = search;
  const empty = isFiltered(search) ? (
    <Empty
      title="No experiment is like that"
      action={
        <Button onClick={() => onSearch({ status: undefined, origin: undefined, slo: undefined, page: 1 })}>
          Show all
        </Button>
      }
    />
  ) : (
    <Empty title="No experiment yet">They appear here as soon as the task runs.</Empty>
  );
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-5">
      <Filters
        search={search}
        counts={task.experiments ?? {}}
        onChange={(changes) => onSearch({ ...changes, page: 1 })}
      />
      <div className={open === undefined ? "" : "grid items-start gap-5 xl:grid-cols-[minmax(0,1fr)_26rem]"}>
        <Panel flush>
          <QueryStates query={found} lines={8}>
            {({ items, page, size, total, total_exact }) => (
              <>
                <DataTable
                  label="Experiments of the task"
                  rows={items}
                  columns={shown}
                  rowId={({ id }) => String(id)}
                  sort={{ by: sort, descending }}
                  onSort={({ by, descending }) =>
                    onSearch({ sort: by === "objective_score" ? by : "number", descending, page: 1 })
                  }
                  onServer
                  rowClass={({ id }) => (id === open ? "bg-accent-soft/50" : undefined)}
                  empty={empty}
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
        {open !== undefined && <ExperimentAside id={open} onClose={() => onSearch({ open: undefined })} />}
      </div>
    </div>
  );
}
