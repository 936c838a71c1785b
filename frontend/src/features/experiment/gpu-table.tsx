import type { Schema } from "@/api/client";
import { bytes, figure } from "@/format/figures";
import { percent } from "@/format/units";

type Level = Schema<"Level"> | null | undefined;

/** The GPUs that a server used while it was measured: the mean, and the most on any reading. */
export function GpuTable({ gpus }: { gpus: readonly Schema<"GpuFigures">[] }) {
  return (
    <div className="overflow-x-auto">
      <table className="w-full text-sm">
        <thead className="text-[13px] text-ink-soft">
          <tr>
            <th className="py-1 pr-3 text-left font-medium">GPU</th>
            {["use", "memory, most", "power", "temperature, most", "clock"].map((name) => (
              <th key={name} className="py-1 pl-3 text-right font-medium">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="figures">
          {gpus.map((gpu) => (
            <tr key={gpu.index} className="border-t border-line">
              <th scope="row" className="py-1 pr-3 text-left font-normal">
                {gpu.index}
              </th>
              <td className="py-1 pl-3 text-right">{shown(gpu.utilization, "mean", (value) => percent(value))}</td>
              <td className="py-1 pl-3 text-right">{shown(gpu.memory_used, "max", bytes)}</td>
              <td className="py-1 pl-3 text-right">{shown(gpu.power, "mean", (value) => `${figure(value)} W`)}</td>
              <td className="py-1 pl-3 text-right">
                {shown(gpu.temperature, "max", (value) => `${figure(value)} °C`)}
              </td>
              <td className="py-1 pl-3 text-right">{shown(gpu.sm_clock, "mean", (value) => `${figure(value)} MHz`)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function shown(level: Level, which: "mean" | "max", text: (value: number) => string): string {
  return level ? text(level[which]) : "–";
}
