import type { Dashboard } from "@/api/dashboard";
import { Badge } from "@/components/ui/badge";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Panel } from "@/components/ui/panel";
import { duration } from "@/format/figures";
import { moment } from "@/format/moments";

type Worker = Dashboard["workers"][number];

const COLUMNS: readonly Column<Worker>[] = [
  {
    id: "name",
    head: "Worker",
    cell: ({ name, host, pid }) => (
      <>
        <span className="font-medium break-all">{name}</span>
        <span className="figures block text-xs text-ink-soft">
          {host}, process {pid}
        </span>
      </>
    ),
  },
  {
    id: "state",
    head: "State",
    cell: ({ live, state }) =>
      live ? (
        <Badge tone={state === "busy" ? "accent" : "neutral"}>{STATES[state]}</Badge>
      ) : (
        <Badge tone="bad">Silent</Badge>
      ),
  },
  {
    id: "heartbeat",
    head: "Last heartbeat",
    align: "right",
    cell: ({ silent_s }) => `${duration(Math.max(1, silent_s))} ago`,
  },
  {
    id: "started",
    head: "Since",
    from: "xl",
    align: "right",
    cell: ({ started_at }) => <span className="text-ink-soft">{moment(started_at)}</span>,
  },
];
const STATES: Record<Worker["state"], string> = { idle: "Idle", busy: "Busy", stopping: "Stopping" };

/** Processes that run tasks, and when each was heard of last. */
export function Workers({ workers }: { workers: Dashboard["workers"] }) {
  return (
    <Panel title="Workers" flush>
      {workers.length === 0 ? (
        <p className="px-4 pb-4 text-sm text-ink-soft">
          No worker is there, so queued tasks wait. <code>autotuner serve</code> and <code>autotuner worker</code> start
          one.
        </p>
      ) : (
        <DataTable label="Each worker" rows={workers} columns={COLUMNS} rowId={({ id }) => String(id)} />
      )}
    </Panel>
  );
}
