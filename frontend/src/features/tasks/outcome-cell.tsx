import type { TaskSummary } from "@/api/tasks";
import { useRunningProgress } from "@/features/tasks/use-running-progress";
import { gain } from "@/format/figures";
import { withUnit } from "@/format/units";

type Outcome = NonNullable<TaskSummary["outcome"]>;

/** The best so far while a task runs; then the winner's score, and its gain with interval where one was shown. */
export function OutcomeCell({ task }: { task: TaskSummary }) {
  const { outcome, best_score, error } = task;
  const progress = useRunningProgress(task);
  if (progress !== null && progress.best !== null) {
    const { best, unit, gain: better } = progress;
    return (
      <div className="figures">
        <span>{withUnit(best, unit ?? "")}</span>
        <span className="block text-xs whitespace-nowrap text-ink-soft">
          so far{better !== null && better !== 0 && `, ${gain(better)}`}
          {progress.predicted && " · predicted"}
        </span>
      </div>
    );
  }
  if (!outcome) {
    const what = error?.what;
    if (typeof what === "string") return <span className="block max-w-72 truncate text-bad">{what}</span>;
    return <span className="text-ink-soft">–</span>;
  }
  return (
    <div className="figures">
      <span>{withUnit(best_score, outcome.unit)}</span>
      <span className="block text-xs whitespace-nowrap text-ink-soft">
        <Verdict outcome={outcome} />
        {outcome.predicted && " · predicted"}
      </span>
    </div>
  );
}

function Verdict({ outcome }: { outcome: Outcome }) {
  switch (outcome.verdict) {
    case "gain":
      return (
        <>
          <span className="font-medium text-good">{gain(outcome.gain)}</span>
          {outcome.gain_low != null && outcome.gain_high != null && (
            <>
              {" "}
              ({gain(outcome.gain_low)} to {gain(outcome.gain_high)})
            </>
          )}
        </>
      );
    case "only_eligible":
      return "alone keeps the hard SLOs";
    case "no_significant_gain":
      return "no significant gain";
    case "unconfirmed":
      return "not confirmed";
    case "no_baseline":
      return "no baseline";
    case "infeasible":
      return <span className="text-warn">nothing keeps the SLOs</span>;
    case "measured":
      return "measured, nothing searched";
    case "no_result":
      return "no result";
    default:
      return null;
  }
}
