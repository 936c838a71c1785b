import { Link } from "@tanstack/react-router";
import type { TaskView } from "@/api/tasks";
import { Badge } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { ProgressBar } from "@/components/ui/progress-bar";
import { duration, figure, gain } from "@/format/figures";
import { phaseDoing, reasonName, stageDoing } from "@/format/phases";
import { withUnit } from "@/format/units";
import { numberOf, textOf } from "@/live/frames";
import { type Progress, useTaskProgress } from "@/live/progress";

/** A task that runs: how far it is, what it does now, the best so far against the baseline. */
export function LivePanel({ task }: { task: TaskView }) {
  const progress = useTaskProgress(task.id);
  return (
    <Panel
      title="Now"
      actions={
        <>
          {progress?.predicted && <Badge tone="warn">Predicted figures</Badge>}
          {task.worker && <span className="text-sm text-ink-soft">on worker {task.worker}</span>}
        </>
      }
    >
      {progress === null ? (
        <p className="text-sm text-ink-soft">
          {task.held ? "Nothing was heard of it yet; a run says how it stands within a second." : "No process runs it."}
        </p>
      ) : (
        <div className="grid gap-4">
          <Overall progress={progress} />
          <div className="grid gap-4 md:grid-cols-2">
            <Current progress={progress} task={task} />
            <Best progress={progress} />
          </div>
        </div>
      )}
    </Panel>
  );
}

function Overall({ progress }: { progress: Progress }) {
  const { percent, eta_s, total, stage } = progress;
  return (
    <div className="grid gap-1.5">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4 text-sm">
        <span className="font-medium">{stage === null ? "Begins" : stageDoing(stage)}</span>
        <span className="figures text-ink-soft">
          {percent === null ? "share not known yet" : `${figure(percent)} %`}
          {total !== null && ` of ${total} server starts`}
          {eta_s !== null && eta_s > 0 && ` · about ${duration(eta_s)} left`}
        </span>
      </div>
      <ProgressBar percent={percent} label="Progress of the task" />
    </div>
  );
}

function Current({ progress, task }: { progress: Progress; task: TaskView }) {
  const { experiment, phase, reason, figures } = progress;
  const completed = numberOf(figures?.completed);
  const errors = numberOf(figures?.errors);
  const elapsed = numberOf(figures?.elapsed_s);
  const point = textOf(figures?.load_point);
  const throughput = numberOf(figures?.output_throughput);
  const ttft = numberOf(figures?.ttft_mean_s);
  return (
    <section aria-label="What runs now" className="grid content-start gap-1 text-sm">
      <h3>What runs now</h3>
      {experiment === null ? (
        <p className="text-ink-soft">
          {task.status === "paused" ? "Nothing: it is paused." : "No server at the moment."}
        </p>
      ) : (
        <>
          <p>
            <Link
              to="/tasks/$taskId/experiments"
              params={{ taskId: String(task.id) }}
              className="text-accent underline underline-offset-2"
            >
              {experiment === 0 ? "Baseline" : `Experiment ${experiment}`}
            </Link>{" "}
            {phase !== null && phaseDoing(phase)}
            {reason !== null && reason !== "first" && ` (${reasonName(reason)})`}
          </p>
          {figures !== null && (
            <p className="figures text-ink-soft">
              {point !== null && `At ${point}: `}
              {completed !== null && `${figure(completed)} requests`}
              {errors !== null && errors > 0 && `, ${figure(errors)} errors`}
              {throughput !== null && `, ${figure(throughput)} tokens/s`}
              {ttft !== null && `, TTFT ${duration(ttft)}`}
              {elapsed !== null && `, after ${duration(elapsed)}`}
            </p>
          )}
        </>
      )}
    </section>
  );
}

function Best({ progress }: { progress: Progress }) {
  const { best, baseline, unit, gain: better } = progress;
  return (
    <section aria-label="Best so far" className="grid content-start gap-1 text-sm">
      <h3>Best so far</h3>
      {best === null ? (
        <p className="text-ink-soft">Nothing was measured yet.</p>
      ) : (
        <p className="figures">
          <span className="text-lg font-semibold">{withUnit(best, unit ?? "")}</span>
          {better !== null && better !== 0 && (
            <span className={better > 0 ? "text-good" : "text-bad"}>
              {" "}
              {gain(better)} {better > 0 ? "better" : "worse"} than the baseline
            </span>
          )}
        </p>
      )}
      {baseline !== null && <p className="figures text-ink-soft">Baseline {withUnit(baseline, unit ?? "")}</p>}
      {best !== null && <p className="text-xs text-ink-soft">Of one start each: the confirmation judges it.</p>}
    </section>
  );
}
