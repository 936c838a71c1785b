import type { ExperimentDetails } from "@/api/experiment";
import type { TaskResult } from "@/api/results";
import { cx } from "@/components/ui/class-names";
import { parameterName, parameterValue } from "@/format/parameters";

/** Each parameter, where its value comes from, and what the best configuration sets otherwise. */
export function Parameters({ experiment, result }: { experiment: ExperimentDetails; result?: TaskResult }) {
  const rows = Object.entries(experiment.parameters);
  const best = result?.winner ?? result?.nearest;
  const other = best && best.id !== experiment.id ? best : null;
  const origins = new Map((result?.provenance ?? []).map((origin) => [origin.parameter, origin]));
  const fixed = (result?.provenance ?? []).filter((origin) => !(origin.parameter in experiment.parameters));
  if (rows.length === 0 && fixed.length === 0) {
    return <p className="text-sm text-ink-soft">Everything is left to the engine.</p>;
  }
  return (
    <div className="overflow-x-auto">
      <table className="w-full text-sm">
        <thead className="text-left text-[13px] text-ink-soft">
          <tr>
            <th className="py-1 pr-3 font-medium">parameter</th>
            <th className="py-1 pr-3 font-medium">value</th>
            {other && <th className="py-1 pr-3 font-medium">{result?.words.chosen}</th>}
            <th className="py-1 font-medium">from</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, value]) => {
            const differs = other && JSON.stringify(other.parameters[name]) !== JSON.stringify(value);
            return (
              <tr key={name} className="border-t border-line">
                <th scope="row" className="py-1.5 pr-3 text-left font-mono text-[13px] font-normal">
                  {parameterName(name)}
                </th>
                <td className="py-1.5 pr-3 font-medium">{parameterValue(value)}</td>
                {other && (
                  <td className={cx("py-1.5 pr-3", differs ? "font-medium text-accent" : "text-ink-soft")}>
                    {name in other.parameters ? parameterValue(other.parameters[name]) : "–"}
                    {differs && <span className="sr-only"> differs</span>}
                  </td>
                )}
                <td className="py-1.5 text-ink-soft">{originText(origins.get(name))}</td>
              </tr>
            );
          })}
          {fixed.map((origin) => (
            <tr key={origin.parameter} className="border-t border-line">
              <th scope="row" className="py-1.5 pr-3 text-left font-mono text-[13px] font-normal">
                {parameterName(origin.parameter)}
              </th>
              <td className="py-1.5 pr-3">{parameterValue(origin.value)}</td>
              {other && <td className="py-1.5 pr-3 text-ink-soft">the same</td>}
              <td className="py-1.5 text-ink-soft">{originText(origin)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function originText(origin: NonNullable<TaskResult["provenance"]>[number] | undefined): string {
  if (!origin) return "–";
  const from = origin.source ? `${origin.origin} from ${origin.source}` : origin.origin;
  return origin.searched ? `${from}, searched` : from;
}
