import { Link } from "@tanstack/react-router";
import type { TaskView } from "@/api/tasks";
import { Badge } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { Fact, Facts } from "@/features/task/facts";
import { LatestExperiments } from "@/features/task/latest-experiments";
import { LivePanel } from "@/features/task/live-panel";
import { standing, taskError } from "@/features/task/standing";
import { duration } from "@/format/figures";
import { moment } from "@/format/moments";
import { textOf } from "@/live/frames";

const isUnderWay = ({ status }: TaskView): boolean => ["running", "paused", "cancelling"].includes(status);

/** How a task stands. */
export function Overview({ task }: { task: TaskView }) {
  return (
    <div className="grid gap-5">
      <Standing task={task} />
      {isUnderWay(task) && <LivePanel task={task} />}
      <Outcome task={task} />
      <div className="grid items-start gap-5 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <LatestExperiments taskId={task.id} />
        <Panel title="About">
          <Facts>
            <Fact name="Description">{textOf(task.document.description)}</Fact>
            <Fact name="Ended because">{task.stop_reason}</Fact>
            <Fact name="Worker">{task.worker}</Fact>
            {task.elapsed_s > 0 && (
              <Fact name="Running time">
                <span className="figures">{duration(task.elapsed_s)}</span>
              </Fact>
            )}
            <Fact name="Priority">
              <span className="figures">{task.priority}</span>
            </Fact>
            <Moment name="Made" at={task.created_at} />
            <Moment name="Queued" at={task.queued_at} />
            <Moment name="First started" at={task.started_at} />
            <Moment name="Ended" at={task.finished_at} />
          </Facts>
        </Panel>
      </div>
    </div>
  );
}

/** What a task that has ended came to, in the report's own sentence. */
function Outcome({ task }: { task: TaskView }) {
  const headline = textOf(task.result?.headline);
  if (headline === null || isUnderWay(task)) return null;
  return (
    <Panel
      title="Result"
      actions={
        <>
          {task.result?.predicted === true && <Badge tone="warn">Predicted figures</Badge>}
          <Link
            to="/tasks/$taskId/results"
            params={{ taskId: String(task.id) }}
            className="text-sm text-accent underline underline-offset-2"
          >
            The evidence
          </Link>
        </>
      }
    >
      <p className="max-w-prose">{headline}</p>
    </Panel>
  );
}

function Moment({ name, at }: { name: string; at: string | null | undefined }) {
  if (!at) return null;
  return (
    <Fact name={name}>
      <time dateTime={at} className="figures">
        {moment(at)}
      </time>
    </Fact>
  );
}

function Standing({ task }: { task: TaskView }) {
  const error = taskError(task);
  const sentence = standing(task);
  return (
    <>
      {error && (
        <div role="alert" className="grid gap-1 rounded-md border border-bad/40 bg-bad-soft px-4 py-3 text-sm">
          <p className="font-semibold text-bad">Failed: {error.what}</p>
          {error.why && <p>Why: {error.why}</p>}
          {error.remedy && <p>What to do: {error.remedy}</p>}
        </div>
      )}
      {sentence && <p className="rounded-md border border-line bg-sunken px-4 py-2.5 text-sm">{sentence}</p>}
    </>
  );
}
