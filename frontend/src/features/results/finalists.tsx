import { Link } from "@tanstack/react-router";
import type { TaskResult } from "@/api/results";
import { Badge } from "@/components/ui/badge";
import { titleOf } from "@/features/results/shaping";
import { gain } from "@/format/figures";

/** What the confirmation says of each finalist, and why its starts ended. */
export function Finalists({ result }: { result: TaskResult }) {
  const finalists = result.finalists?.length ? result.finalists : result.gain ? [result.gain] : [];
  if (finalists.length === 0) return null;
  return (
    <div className="overflow-x-auto">
      <table className="w-full text-sm">
        <caption className="mb-1 text-left text-[13px] text-ink-soft">
          Gain over the baseline of each finalist, from paired starts
        </caption>
        <thead className="text-[13px] text-ink-soft">
          <tr>
            <th className="py-1 pr-3 text-left font-medium">finalist</th>
            <th className="px-3 py-1 text-right font-medium">gain</th>
            <th className="px-3 py-1 text-right font-medium">interval</th>
            <th className="px-3 py-1 text-right font-medium">pairs</th>
            <th className="px-3 py-1 text-left font-medium">verdict</th>
            <th className="py-1 pl-3 text-left font-medium">its starts ended</th>
          </tr>
        </thead>
        <tbody className="figures">
          {finalists.map((one) => {
            const id = result.experiments?.find((experiment) => experiment.number === one.experiment)?.id;
            const title = titleOf(result, one.experiment);
            return (
              <tr key={one.experiment} className="border-t border-line">
                <th scope="row" className="py-1.5 pr-3 text-left font-medium whitespace-nowrap">
                  {id === undefined ? (
                    title
                  ) : (
                    <Link
                      to="/experiments/$experimentId"
                      params={{ experimentId: String(id) }}
                      className="text-accent underline"
                    >
                      {title}
                    </Link>
                  )}
                </th>
                <td className="px-3 py-1.5 text-right whitespace-nowrap">{gain(one.gain)}</td>
                <td className="px-3 py-1.5 text-right whitespace-nowrap">
                  {one.vague || one.low == null ? "too few to tell" : `${gain(one.low)} to ${gain(one.high)}`}
                </td>
                <td className="px-3 py-1.5 text-right">{one.pairs}</td>
                <td className="px-3 py-1.5 whitespace-nowrap">
                  <Badge tone={one.significant ? "good" : "neutral"}>
                    {one.significant ? "significant" : "not significant"}
                  </Badge>{" "}
                  {!one.eligible && <Badge tone="bad">breaks a hard SLO</Badge>}
                </td>
                <td className="py-1.5 pl-3">{result.words.finalists[one.experiment]?.standing || "–"}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
