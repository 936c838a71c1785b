import type { TaskSummary } from "@/api/tasks";
import { ProgressBar } from "@/components/ui/progress-bar";
import { useRunningProgress } from "@/features/tasks/use-running-progress";
import { duration, figure } from "@/format/figures";

/** How far a task is while it runs, and what it came to when it has ended. */
export function ProgressCell({ task }: { task: TaskSummary }) {
  const progress = useRunningProgress(task);
  const counts = task.experiments ?? {};
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (progress !== null) {
    const { percent, eta_s } = progress;
    const facts = [
      percent === null ? null : `${Math.round(percent)} %`,
      eta_s === null ? null : `${duration(eta_s)} left`,
    ].filter(Boolean);
    return (
      <div className="grid max-w-80 min-w-40 gap-1">
        <ProgressBar percent={percent} label={`Progress of ${task.name}`} />
        <span className="figures text-xs text-ink-soft">{facts.join(" · ") || "begins"}</span>
      </div>
    );
  }
  if (all === 0) return <span className="text-ink-soft">–</span>;
  const failed = counts.failed ?? 0;
  return (
    <span className="figures whitespace-nowrap text-ink-soft">
      {figure(counts.success ?? 0)} of {figure(all)} measured
      {failed > 0 && <span className="text-bad">, {figure(failed)} failed</span>}
    </span>
  );
}
