import type { TaskResult } from "@/api/results";
import { Panel } from "@/components/ui/panel";
import { counted } from "@/features/results/shaping";

/** Failed starts by class and phase: how many, what it was, what to do about it. */
export function Failures({ result }: { result: TaskResult }) {
  const failures = result.failures ?? [];
  if (failures.length === 0) return null;
  return (
    <Panel title="Failed starts">
      <ul className="grid gap-3 text-sm">
        {failures.map((failure) => (
          <li key={`${failure.kind} ${failure.phase}`} className="border-t border-line pt-3 first:border-0 first:pt-0">
            <p className="font-medium">
              {failure.starts} × {failure.kind.replaceAll("_", " ")} in the phase {failure.phase.replaceAll("_", " ")}
              <span className="font-normal text-ink-soft">
                {" "}
                · {counted(failure.experiments, "configuration")}
                {failure.recovered > 0 && `, ${counted(failure.recovered, "start")} made good by a later try`}
              </span>
            </p>
            <p className="break-words">{failure.example}</p>
            <p className="text-ink-soft">What to do: {failure.hint}</p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
