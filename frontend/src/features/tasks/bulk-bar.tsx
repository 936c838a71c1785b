import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { toast } from "sonner";
import { keys } from "@/api/keys";
import { cancelTask, deleteTask, restoreTask, type TaskSummary } from "@/api/tasks";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { CompareLink } from "@/features/compare/compare-link";
import { actionsOf } from "@/features/task-actions/availability";
import { tellFailure } from "@/features/task-actions/use-task-action";

type BulkAction = "cancel" | "delete";

interface BulkBarProps {
  /** The chosen tasks of this page. */
  tasks: readonly TaskSummary[];
  onClear: () => void;
}

const count = (number: number) => `${number} task${number === 1 ? "" : "s"}`;

/** What can be done with several tasks at once. */
export function BulkBar({ tasks, onClear }: BulkBarProps) {
  const [asked, setAsked] = useState<BulkAction | null>(null);
  const [busy, setBusy] = useState(false);
  const queries = useQueryClient();
  const able = (action: BulkAction) => tasks.filter((task) => actionsOf(task).includes(action));
  const cancellable = able("cancel");
  const deletable = able("delete");

  const refresh = () => {
    void queries.invalidateQueries({ queryKey: keys.taskLists });
    void queries.invalidateQueries({ queryKey: keys.dashboard });
    for (const { id } of tasks) void queries.invalidateQueries({ queryKey: keys.task(id) });
  };
  const carryOut = async (action: BulkAction) => {
    setBusy(true);
    const meant = able(action);
    const ended = await Promise.allSettled(
      meant.map(({ id }) => (action === "cancel" ? cancelTask(id) : deleteTask(id))),
    );
    setBusy(false);
    setAsked(null);
    const done = meant.filter((_, place) => ended[place]?.status === "fulfilled");
    const [failure] = ended.filter((one) => one.status === "rejected");
    if (failure) {
      const left = meant.length - done.length;
      tellFailure(new Error(`${count(left)} of ${meant.length} could not be changed: ${failure.reason.message}`));
    }
    if (done.length > 0) {
      if (action === "cancel") toast.success(`${count(done.length)} will end`);
      else
        toast.success(`${count(done.length)} deleted`, {
          duration: 10_000,
          action: {
            label: "Undo",
            onClick: () =>
              void Promise.all(done.map(({ id }) => restoreTask(id)))
                .then(() => toast.success(`${count(done.length)} restored`), tellFailure)
                .finally(refresh),
          },
        });
      if (action === "delete") onClear();
    }
    refresh();
  };

  return (
    <section
      aria-label="Chosen tasks"
      className="flex flex-wrap items-center gap-2 border-b border-line bg-accent-soft/40 px-4 py-2 text-sm"
    >
      <span className="figures mr-auto font-medium">{count(tasks.length)} chosen</span>
      <CompareLink to="/compare-tasks" ids={tasks.map(({ id }) => id)} />
      <Button size="small" disabled={cancellable.length === 0} onClick={() => setAsked("cancel")}>
        Cancel
      </Button>
      <Button size="small" look="danger" disabled={deletable.length === 0} onClick={() => setAsked("delete")}>
        Delete
      </Button>
      <Button size="small" look="quiet" onClick={onClear}>
        Choose none
      </Button>
      {asked && (
        <Confirm
          open
          danger
          busy={busy}
          title={asked === "cancel" ? `Cancel ${count(cancellable.length)}?` : `Delete ${count(deletable.length)}?`}
          verb={asked === "cancel" ? `Cancel ${count(cancellable.length)}` : `Delete ${count(deletable.length)}`}
          onConfirm={() => void carryOut(asked)}
          onClose={() => setAsked(null)}
        >
          <p>
            {asked === "cancel"
              ? "Servers that run for them are ended, and measurements under way are lost. What was measured stays. Started again, they go on where they stand."
              : "Their experiments, results and archived runs go with them. For 30 days they can be restored."}
          </p>
          <Left all={tasks.length} meant={asked === "cancel" ? cancellable.length : deletable.length} />
        </Confirm>
      )}
    </section>
  );
}

function Left({ all, meant }: { all: number; meant: number }) {
  return all > meant ? <p>The other {count(all - meant)} cannot be, in the state that they are in.</p> : null;
}
