import { Link } from "@tanstack/react-router";
import type { TaskSummary } from "@/api/tasks";
import { TaskStatusBadge } from "@/components/status/status-badge";
import type { Column } from "@/components/ui/data-table";
import { TaskActions } from "@/features/task-actions/task-actions";
import { OutcomeCell } from "@/features/tasks/outcome-cell";
import { ProgressCell } from "@/features/tasks/progress-cell";
import { duration } from "@/format/figures";
import { moment } from "@/format/moments";

/** The columns of the list of tasks. Sorting is the service's. */
export const COLUMNS: readonly Column<TaskSummary>[] = [
  {
    id: "id",
    head: "No.",
    align: "right",
    descendingFirst: true,
    from: "sm",
    sortBy: ({ id }) => id,
    cell: ({ id }) => <span className="text-ink-soft">{id}</span>,
  },
  {
    id: "name",
    head: "Task",
    sortBy: ({ name }) => name,
    className: "min-w-40",
    cell: (task) => <TaskCell task={task} />,
  },
  {
    id: "status",
    head: "Status",
    from: "sm",
    sortBy: ({ status }) => status,
    cell: ({ status, queued_at }) => <TaskStatusBadge status={status} queued={Boolean(queued_at)} />,
  },
  { id: "progress", head: "Progress", from: "md", cell: (task) => <ProgressCell task={task} /> },
  { id: "outcome", head: "Best score", from: "lg", cell: (task) => <OutcomeCell task={task} /> },
  {
    id: "elapsed",
    head: "Ran for",
    align: "right",
    from: "2xl",
    cell: ({ elapsed_s }) => (elapsed_s ? duration(elapsed_s) : "–"),
  },
  {
    id: "updated_at",
    head: "Changed",
    from: "2xl",
    descendingFirst: true,
    sortBy: ({ updated_at }) => updated_at,
    cell: ({ updated_at }) => (
      <time dateTime={updated_at} className="figures whitespace-nowrap text-ink-soft">
        {moment(updated_at)}
      </time>
    ),
  },
  {
    id: "actions",
    head: "Actions",
    align: "right",
    cell: (task) => (
      <div className="flex justify-end gap-0.5">
        <TaskActions task={task} compact />
      </div>
    ),
  },
];

/** What a task is called, with what narrower screens have no column for. */
function TaskCell({ task }: { task: TaskSummary }) {
  const { id, name, model, engine, status, queued_at, experiments = {} } = task;
  return (
    <div className="max-w-80 min-w-0">
      <Link
        to="/tasks/$taskId"
        params={{ taskId: String(id) }}
        className="font-medium break-words text-accent underline-offset-2 hover:underline"
      >
        {name}
      </Link>
      <span className="block truncate text-xs text-ink-soft" title={model ?? undefined}>
        {[engine, model].filter(Boolean).join(" · ")}
      </span>
      <span className="mt-1 block sm:hidden">
        <TaskStatusBadge status={status} queued={Boolean(queued_at)} />
      </span>
      {Object.keys(experiments).length > 0 && (
        <div className="mt-1 text-xs md:hidden">
          <ProgressCell task={task} />
        </div>
      )}
    </div>
  );
}
