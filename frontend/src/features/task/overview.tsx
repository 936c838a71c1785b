import type { TaskView } from "@/api/tasks";
import { Panel } from "@/components/ui/panel";
import { Fact, Facts } from "@/features/task/facts";
import { standing, taskError } from "@/features/task/standing";
import { duration } from "@/format/figures";

/** How a task stands. */
export function Overview({ task }: { task: TaskView }) {
  return (
    <div className="grid gap-5">
      <Standing task={task} />
      <Panel title="About">
        <Facts>
          <Fact name="Worker">{task.worker}</Fact>
          <Fact name="Running time">
            <span className="figures">{duration(task.elapsed_s)}</span>
          </Fact>
          <Fact name="Ended because">{task.stop_reason}</Fact>
        </Facts>
      </Panel>
    </div>
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
