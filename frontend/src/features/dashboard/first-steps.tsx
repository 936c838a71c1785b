import { Link } from "@tanstack/react-router";
import { Empty } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy-button";
import { Panel } from "@/components/ui/panel";

/** What to do when nothing is there yet. */
export function FirstSteps() {
  return (
    <Panel>
      <Empty
        title="Nothing has been tuned here yet"
        action={
          <Button asChild look="primary">
            <Link to="/tasks/new">New task</Link>
          </Button>
        }
      >
        <p>
          A task starts a server with one configuration after the other, measures each under your load, and hands over
          the best one with evidence that it beats the default.
        </p>
        <p className="mt-3">
          To see one without a model or a GPU, run a search over predicted figures; it takes seconds and appears here:
        </p>
        <p className="mt-2 flex items-center justify-center gap-2">
          <code className="rounded bg-sunken px-2 py-1 text-ink">autotuner demo</code>
          <CopyButton text="autotuner demo" what="the command" />
        </p>
      </Empty>
    </Panel>
  );
}
