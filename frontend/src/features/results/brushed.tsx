import { Link } from "@tanstack/react-router";
import type { TaskResult } from "@/api/results";
import { counted, titleOf } from "@/features/results/shaping";
import { withUnit } from "@/format/units";

const SHOWN = 12;

/** The experiments that are selected on the axes. */
export function Brushed({ result, numbers }: { result: TaskResult; numbers: readonly number[] }) {
  if (numbers.length === 0) return null;
  const better = result.direction === "maximize" ? -1 : 1;
  const chosen = (result.experiments ?? [])
    .filter((experiment) => numbers.includes(experiment.number))
    .sort((a, b) => better * ((a.score ?? 0) - (b.score ?? 0)));
  return (
    <div aria-live="polite" className="mt-3 text-sm">
      <p>
        {counted(chosen.length, "experiment")} selected{chosen.length > SHOWN && `, the best ${SHOWN}:`}
      </p>
      <ul className="mt-1 flex flex-wrap gap-x-4 gap-y-1">
        {chosen.slice(0, SHOWN).map((experiment) => (
          <li key={experiment.number} className="figures">
            <Link
              to="/experiments/$experimentId"
              params={{ experimentId: String(experiment.id) }}
              className="text-accent underline"
            >
              {titleOf(result, experiment.number)}
            </Link>{" "}
            {withUnit(experiment.score, result.unit)}
          </li>
        ))}
      </ul>
    </div>
  );
}
