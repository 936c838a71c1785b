import { Link } from "@tanstack/react-router";
import type { Dashboard } from "@/api/dashboard";
import { taskStatusWord } from "@/components/status/status-badge";
import { Panel } from "@/components/ui/panel";
import { STATUSES } from "@/features/tasks/search";
import { figure } from "@/format/figures";

/** How much there is of everything; each number of tasks leads to those tasks. */
export function Counts({ counts }: { counts: Dashboard["counts"] }) {
  const experiments = counts.experiments;
  const all = Object.values(experiments).reduce((sum, count) => sum + count, 0);
  const failures = Object.entries(counts.failures).sort(([, one], [, other]) => other - one);
  return (
    <Panel title="Tasks and experiments">
      <ul className="flex flex-wrap gap-x-8 gap-y-3">
        {STATUSES.filter((status) => counts.tasks[status]).map((status) => (
          <li key={status}>
            <Link to="/tasks" search={{ status: [status] }} className="group block">
              <span className="figures block text-2xl leading-tight font-semibold">{figure(counts.tasks[status])}</span>
              <span className="text-sm text-ink-soft underline-offset-2 group-hover:underline">
                {taskStatusWord(status).toLowerCase()}
              </span>
            </Link>
          </li>
        ))}
      </ul>
      <p className="figures mt-3 text-sm text-ink-soft">
        {figure(all)} {all === 1 ? "experiment" : "experiments"}: {figure(experiments.success ?? 0)} measured,{" "}
        {figure(experiments.pruned ?? 0)} stopped early, {figure(experiments.failed ?? 0)} failed
        {failures.length > 0 && ` (${failures.map(([kind, count]) => `${kind} ${count}`).join(", ")})`}.
      </p>
    </Panel>
  );
}
