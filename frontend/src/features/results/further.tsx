import type { TaskResult } from "@/api/results";
import { Badge } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { gain } from "@/format/figures";
import { parameterName, parametersText, parameterValue } from "@/format/parameters";
import { percent, withUnit } from "@/format/units";

/** What else belongs to a result: references, other clients, the measured grid, and where everything comes from. */
export function Further({ result }: { result: TaskResult }) {
  return (
    <>
      <References result={result} />
      <Verifications result={result} />
      <Grid result={result} />
      <Origin result={result} />
    </>
  );
}

function References({ result }: { result: TaskResult }) {
  const gains = Object.entries(result.reference_gains ?? {});
  if (gains.length === 0) return null;
  return (
    <Panel title="Against the references">
      <ul className="grid gap-1 text-sm">
        {gains.map(([label, share]) => (
          <li key={label}>
            <span className="figures font-medium">{gain(share)}</span> against {label}{" "}
            <span className="text-ink-soft">(one start each, without an interval)</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Verifications({ result }: { result: TaskResult }) {
  const made = result.verifications ?? [];
  if (made.length === 0) return null;
  return (
    <Panel title="The winner with another client">
      {made.map((one, at) => (
        <div key={one.round} className="not-first:mt-5">
          <p className="text-sm">{result.words.verifications?.[at]}</p>
          {(one.figures ?? []).length > 0 && (
            <table className="mt-2 w-full text-sm">
              <thead className="text-[13px] text-ink-soft">
                <tr>
                  <th className="py-1 pr-3 text-left font-medium">figure</th>
                  <th className="px-3 py-1 text-right font-medium">{one.own_client}</th>
                  <th className="px-3 py-1 text-right font-medium">{one.client}</th>
                  <th className="px-3 py-1 text-right font-medium">difference</th>
                  <th className="py-1 pl-3 text-left font-medium">agree</th>
                </tr>
              </thead>
              <tbody className="figures">
                {(one.figures ?? []).map((row) => (
                  <tr key={`${row.load_point} ${row.name}`} className="border-t border-line">
                    <th scope="row" className="py-1 pr-3 text-left font-normal">
                      {row.name} <span className="text-ink-soft">at {row.load_point}</span>
                    </th>
                    <td className="px-3 py-1 text-right">{withUnit(row.own, row.unit)}</td>
                    <td className="px-3 py-1 text-right">{withUnit(row.other, row.unit)}</td>
                    <td className="px-3 py-1 text-right">{gain(row.difference)}</td>
                    <td className="py-1 pl-3">
                      {row.agrees === null ? (
                        "not judged"
                      ) : (
                        <Badge tone={row.agrees ? "good" : "bad"}>{row.agrees ? "yes" : "no"}</Badge>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </div>
      ))}
    </Panel>
  );
}

function Grid({ result }: { result: TaskResult }) {
  const grid = result.grid;
  if (!grid) return result.grid_note ? <Panel title="Against the full grid">{result.grid_note}</Panel> : null;
  const rows: [string, number | null | undefined, string][] = [
    ["winner", grid.winner_fraction, grid.winner_rank ? `place ${grid.winner_rank} of ${grid.feasible}` : ""],
    [
      "random search",
      grid.random_median_fraction,
      `median of ${grid.budget} configurations; ${percent(grid.random_low_fraction)} to ${percent(grid.random_high_fraction)}`,
    ],
    ["baseline", grid.baseline_fraction, ""],
    ...Object.entries(grid.reference_fractions ?? {}).map(([label, share]): [string, number | null, string] => [
      label,
      share,
      "",
    ]),
  ];
  return (
    <Panel title="Against the full grid">
      <p className="text-sm">
        {grid.host}; {grid.points} configurations, {grid.feasible} keep the hard SLOs. The best:{" "}
        {withUnit(grid.best_score, result.unit)} with {parametersText(grid.best_parameters)}.
      </p>
      <ul className="mt-3 grid gap-2 text-sm">
        {rows.map(([name, share, note]) => (
          <li key={name} className="grid grid-cols-[9rem_minmax(0,1fr)_5rem] items-center gap-3">
            <span>{name}</span>
            <span aria-hidden className="h-2.5 rounded-sm bg-sunken">
              <span
                className="block h-full rounded-sm bg-accent/60"
                style={{ width: `${Math.min(1, share ?? 0) * 100}%` }}
              />
            </span>
            <span className="figures text-right font-medium">{percent(share)}</span>
            {note && <span className="col-start-2 -mt-1.5 text-xs text-ink-soft">{note}</span>}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Origin({ result }: { result: TaskResult }) {
  const facts = { ...result.host, ...result.settings };
  return (
    <Panel title="Where the figures come from">
      <dl className="grid grid-cols-1 gap-x-5 gap-y-1 text-sm sm:grid-cols-[auto_minmax(0,1fr)]">
        {[
          ["engine", `${result.engine} ${result.engine_version ?? "(version unknown)"}`],
          ["model", result.model],
          ...Object.entries(facts),
        ].map(([name, value]) => (
          <div key={String(name)} className="contents">
            <dt className="text-ink-soft">{String(name).replaceAll("_", " ")}</dt>
            <dd className="min-w-0 break-words">{plain(value)}</dd>
          </div>
        ))}
      </dl>
      {(result.provenance ?? []).length > 0 && (
        <details className="mt-4 text-sm">
          <summary className="cursor-pointer font-medium">Where each value comes from</summary>
          <div className="overflow-x-auto">
            <table className="mt-2 w-full">
              <tbody>
                {(result.provenance ?? []).map((origin) => (
                  <tr key={origin.parameter} className="border-t border-line">
                    <th scope="row" className="py-1 pr-3 text-left font-mono text-[13px] font-normal">
                      {parameterName(origin.parameter)}
                    </th>
                    <td className="py-1 pr-3">{plain(origin.value)}</td>
                    <td className="py-1 text-ink-soft">
                      {origin.origin}
                      {origin.source && ` from ${origin.source}`}
                      {origin.searched && ", searched"}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      )}
    </Panel>
  );
}

/** A value of the host's facts in words. */
function plain(value: unknown): string {
  if (Array.isArray(value)) return value.map(plain).join(", ");
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([name, one]) => `${name} ${plain(one)}`)
      .join(", ");
  }
  return parameterValue(value).replace("engine's choice", "–");
}
