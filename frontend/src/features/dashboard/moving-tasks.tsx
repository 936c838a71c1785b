import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { taskListQuery } from "@/api/task-list";
import type { TaskSummary } from "@/api/tasks";
import { QueryStates } from "@/components/states/states";
import { TaskStatusBadge } from "@/components/status/status-badge";
import { Panel } from "@/components/ui/panel";
import { TaskActions } from "@/features/task-actions/task-actions";
import { OutcomeCell } from "@/features/tasks/outcome-cell";
import { ProgressCell } from "@/features/tasks/progress-cell";

const RUNNING = taskListQuery({ status: ["running", "paused", "cancelling"], size: 20 });
const QUEUED = taskListQuery({ queued: true, status: ["pending"], size: 20 });

/** Tasks that run, with their live progress. */
export function RunningTasks() {
  const list = useQuery(RUNNING);
  return (
    <Panel title="Running">
      <QueryStates query={list} lines={2}>
        {({ items, total }) =>
          items.length === 0 ? (
            <p className="text-sm text-ink-soft">Nothing runs.</p>
          ) : (
            <ul className="grid gap-3">
              {items.map((task) => (
                <li key={task.id} className="flex flex-wrap items-center gap-x-4 gap-y-2">
                  <TaskName task={task} />
                  <TaskStatusBadge status={task.status} />
                  <div className="min-w-48 flex-1">
                    <ProgressCell task={task} />
                  </div>
                  <div className="text-sm">
                    <OutcomeCell task={task} />
                  </div>
                  <div className="flex">
                    <TaskActions task={task} compact />
                  </div>
                </li>
              ))}
              <More total={total} shown={items.length} />
            </ul>
          )
        }
      </QueryStates>
    </Panel>
  );
}

/** Tasks that wait for a worker, the first one first. */
export function QueuedTasks() {
  const list = useQuery(QUEUED);
  return (
    <Panel title="Queue">
      <QueryStates query={list} lines={2}>
        {({ items, total }) =>
          items.length === 0 ? (
            <p className="text-sm text-ink-soft">Nothing waits.</p>
          ) : (
            <ol className="grid gap-2">
              {[...items].sort(inOrder).map((task) => (
                <li key={task.id} className="flex items-center justify-between gap-3">
                  <TaskName task={task} />
                  <span className="figures text-xs whitespace-nowrap text-ink-soft">
                    {task.priority ? `priority ${task.priority}` : ""}
                  </span>
                </li>
              ))}
              <More total={total} shown={items.length} />
            </ol>
          )
        }
      </QueryStates>
    </Panel>
  );
}

/** The order in which workers take them. */
function inOrder(one: TaskSummary, other: TaskSummary): number {
  const byPriority = (other.priority ?? 0) - (one.priority ?? 0);
  return byPriority || (one.queued_at ?? "").localeCompare(other.queued_at ?? "") || one.id - other.id;
}

function TaskName({ task }: { task: TaskSummary }) {
  return (
    <Link
      to="/tasks/$taskId"
      params={{ taskId: String(task.id) }}
      className="min-w-0 font-medium break-words text-accent underline-offset-2 hover:underline"
    >
      {task.name}
    </Link>
  );
}

function More({ total, shown }: { total: number; shown: number }) {
  if (total <= shown) return null;
  return (
    <li className="text-sm">
      <Link to="/tasks" className="text-accent underline underline-offset-2">
        {total - shown} more
      </Link>
    </li>
  );
}
