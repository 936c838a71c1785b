import type { Dashboard } from "@/api/dashboard";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Panel } from "@/components/ui/panel";
import { bytes, figure } from "@/format/figures";
import { percent } from "@/format/units";

type Gpu = NonNullable<Dashboard["gpus"]>[number];

const or = (value: number | null | undefined, shown: (value: number) => string) => (value == null ? "–" : shown(value));

const COLUMNS: readonly Column<Gpu>[] = [
  { id: "index", head: "GPU", align: "right", cell: ({ index }) => index },
  { id: "name", head: "Name", cell: ({ name }) => name },
  { id: "use", head: "Busy", align: "right", cell: ({ utilization }) => percent(utilization, 0) },
  { id: "memory", head: "Memory used", align: "right", cell: (gpu) => or(gpu.memory_used_bytes, bytes) },
  {
    id: "power",
    head: "Power",
    align: "right",
    from: "sm",
    cell: (gpu) => or(gpu.power_w, (watts) => `${figure(watts)} W`),
  },
  {
    id: "temperature",
    head: "Temperature",
    align: "right",
    from: "sm",
    cell: (gpu) => or(gpu.temperature_c, (degrees) => `${figure(degrees)} °C`),
  },
];

/** What the GPUs of the service's host do. */
export function Gpus({ gpus }: { gpus: Dashboard["gpus"] }) {
  return (
    <Panel title="GPUs" flush>
      {!gpus || gpus.length === 0 ? (
        <p className="px-4 pb-4 text-sm text-ink-soft">
          {gpus ? "No GPU is there." : "The service's host has no driver of NVIDIA GPUs."}
        </p>
      ) : (
        <DataTable label="Each GPU" rows={gpus} columns={COLUMNS} rowId={({ index }) => String(index)} />
      )}
    </Panel>
  );
}
