import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { startDemonstration } from "@/api/demonstration";
import { Empty, Failed } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";

/** What to do when nothing is there yet. */
export function FirstSteps() {
  const navigate = useNavigate();
  const demonstration = useMutation({
    mutationFn: startDemonstration,
    onSuccess: ({ id }) => void navigate({ to: "/tasks/$taskId", params: { taskId: String(id) } }),
  });
  return (
    <Panel>
      <Empty
        title="Nothing has been tuned here yet"
        action={
          <div className="mt-2 flex flex-wrap justify-center gap-2">
            <Button busy={demonstration.isPending} onClick={() => demonstration.mutate()}>
              Run the demonstration
            </Button>
            <Button asChild look="primary">
              <Link to="/tasks/new">New task</Link>
            </Button>
          </div>
        }
      >
        <p>
          A task starts a server with one configuration after the other, measures each under your load, and hands over
          the best one with evidence that it beats the default.
        </p>
        <p className="mt-3">
          The demonstration needs neither a model nor a GPU: it searches over predicted figures, says so everywhere, and
          takes seconds.
        </p>
      </Empty>
      {demonstration.error && <Failed error={demonstration.error} />}
    </Panel>
  );
}
