import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type Delivery, deliveriesQuery } from "@/api/webhooks";
import { QueryStates } from "@/components/states/states";
import { Badge, type Tone } from "@/components/ui/badge";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Pager } from "@/components/ui/pager";
import { moment } from "@/format/moments";

const STATES: Record<Delivery["state"], [string, Tone]> = {
  pending: ["Waits", "neutral"],
  delivered: ["Delivered", "good"],
  failed: ["Failed", "bad"],
};

const COLUMNS: readonly Column<Delivery>[] = [
  {
    id: "created",
    head: "Noticed",
    cell: ({ created_at }) => <span className="figures whitespace-nowrap">{moment(created_at)}</span>,
  },
  {
    id: "task",
    head: "Task",
    cell: ({ task_id }) => (
      <Link
        to="/tasks/$taskId"
        params={{ taskId: String(task_id) }}
        className="text-accent underline underline-offset-2"
      >
        {task_id}
      </Link>
    ),
  },
  { id: "state", head: "State", cell: ({ state }) => <Badge tone={STATES[state][1]}>{STATES[state][0]}</Badge> },
  { id: "tries", head: "Tries", align: "right", cell: ({ tries }) => tries },
  {
    id: "error",
    head: "Last error",
    from: "sm",
    className: "w-full",
    cell: ({ error, state, next_at }) => (
      <span className="text-ink-soft">
        {error}
        {state === "pending" && ` Sent next at ${moment(next_at)}.`}
      </span>
    ),
  },
];

/** What became of what a webhook was told. */
export function Deliveries({ name, page, onPage }: { name: string; page: number; onPage: (page: number) => void }) {
  const deliveries = useQuery(deliveriesQuery(name, page));
  return (
    <div className="rounded-md border border-line">
      <QueryStates query={deliveries} lines={2}>
        {(found) =>
          found.total === 0 ? (
            <p className="px-4 py-3 text-sm text-ink-soft">
              Nothing was told yet: no task has ended since it was set up.
            </p>
          ) : (
            <>
              <DataTable
                label={`Deliveries of ${name}`}
                rows={found.items}
                columns={COLUMNS}
                rowId={({ id }) => String(id)}
              />
              <Pager
                page={found.page}
                size={found.size}
                total={found.total}
                exact={found.total_exact ?? true}
                onPage={onPage}
              />
            </>
          )
        }
      </QueryStates>
    </div>
  );
}
