import { Link, useNavigate } from "@tanstack/react-router";
import type { TaskView } from "@/api/tasks";
import { PageHead } from "@/components/layout/page-head";
import { TaskStatusBadge } from "@/components/status/status-badge";
import { TaskActions } from "@/features/task-actions/task-actions";

/** What a task is, how it stands, and what can be done with it. */
export function TaskHead({ task }: { task: TaskView }) {
  const navigate = useNavigate();
  const facts = [task.engine, task.model, task.objective?.replaceAll("_", " ")].filter(Boolean);
  return (
    <PageHead
      title={task.name}
      lead={
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <TaskStatusBadge status={task.status} queued={Boolean(task.queued_at)} />
          {facts.map((fact) => (
            <span key={fact} className="min-w-0 break-all">
              {fact}
            </span>
          ))}
          {task.run > 1 && !task.run_of && <span className="figures">run {task.run}</span>}
          {task.run_of && (
            <span>
              archived run {task.run} of{" "}
              <Link
                to="/tasks/$taskId"
                params={{ taskId: String(task.run_of) }}
                className="text-accent underline underline-offset-2"
              >
                task {task.run_of}
              </Link>
            </span>
          )}
        </div>
      }
      actions={<TaskActions task={task} onGone={() => void navigate({ to: "/tasks" })} />}
    />
  );
}
