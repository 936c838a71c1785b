import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { TaskResult } from "@/api/results";
import { Panel } from "@/components/ui/panel";
import { titleOf } from "@/features/results/shaping";
import { SloGauges } from "@/features/results/slo-badges";
import { gain } from "@/format/figures";
import { parametersText } from "@/format/parameters";
import { withUnit } from "@/format/units";

/** What an answer other than a gain means, and what can be done. Nothing for a gain. */
export function Standing({ result }: { result: TaskResult }) {
  if (result.so_far) return <Note title="The task has not ended">{UNFINISHED}</Note>;
  switch (result.verdict) {
    case "no_significant_gain":
      return <NoGain result={result} />;
    case "infeasible":
      return <Infeasible result={result} />;
    case "unconfirmed":
      return <Note title="The best candidate was not confirmed">{result.gain ? TOO_FEW_STARTS : UNCONFIRMED}</Note>;
    case "no_baseline":
      return <Note title="There is nothing to compare with">{NO_BASELINE}</Note>;
    case "no_result":
      return <Note title="Nothing was measured">{NO_RESULT}</Note>;
    default:
      return null;
  }
}

const UNFINISHED =
  "There is no verdict yet. Below stands what has been measured until now; it changes with every experiment that ends. " +
  "Scores of the search are single starts: the best of many is too good, until the confirmation has started it again.";
const UNCONFIRMED =
  "It measured best in one start. The best of many noisy figures is too good, and it was not started again beside the " +
  "baseline, so no gain is claimed. Go on with a larger budget to confirm it.";
const TOO_FEW_STARTS =
  "It was started again beside the baseline, but too few times to tell its gain from noise, so none is claimed. Go on " +
  "with a larger budget, or more starts of each finalist, to confirm it.";
const NO_BASELINE =
  "The figures stand for themselves. Let the task measure the engine's defaults too to learn what the search has gained.";
const NO_RESULT =
  "No server gave figures. What failed, and what to do about it, stands below; the logs of each start are kept with its " +
  "experiment.";

function Note({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Panel title={title}>
      <p className="max-w-[80ch] text-sm">{children}</p>
    </Panel>
  );
}

function NoGain({ result }: { result: TaskResult }) {
  return (
    <Panel title="Keep what you have">
      <div className="grid max-w-[85ch] gap-2 text-sm">
        <p>
          The finalists were started again beside the baseline. No interval lies wholly above zero, so none of them is
          shown to be better. That is a result: on this hardware, under this load, the baseline is as good as anything
          that was tried.
        </p>
        <p className="text-ink-soft">
          To look further: more starts (<code>confirm.max_starts</code>) make the interval narrower, longer windows make
          a start less noisy, and a wider space has more to find.
        </p>
      </div>
      <Ranking result={result} title="What measured best in the search, one start each" />
    </Panel>
  );
}

function Infeasible({ result }: { result: TaskResult }) {
  const near = result.nearest;
  const worst = result.finalists?.find((one) => one.experiment === near?.number)?.worst_slo ?? [];
  return (
    <Panel title="What stands in the way">
      <div className="grid gap-x-10 gap-y-5 lg:grid-cols-2">
        <div className="min-w-0">
          {near && (
            <SloGauges
              lines={worst.length ? worst : (near.slo ?? [])}
              over={`SLOs of the nearest, ${titleOf(result, near.number)}${worst.length ? ", at their worst over its starts" : ""}`}
            />
          )}
        </div>
        <div className="grid content-start gap-2 text-sm">
          {(result.slo_sentences ?? []).length > 0 && <p>Asked for: {(result.slo_sentences ?? []).join("; ")}.</p>}
          <p>
            To get further: a lower load, a looser limit, a wider space, or more hardware. With a searched load the task
            finds the highest one at which the limits are kept.
          </p>
        </div>
      </div>
    </Panel>
  );
}

const SHOWN = 5;

/** The best eligible experiments by their score. */
function Ranking({ result, title }: { result: TaskResult; title: string }) {
  const better = result.direction === "maximize" ? -1 : 1;
  const ranked = (result.experiments ?? [])
    .filter((experiment) => experiment.eligible && typeof experiment.score === "number")
    .sort((a, b) => better * ((a.score ?? 0) - (b.score ?? 0)))
    .slice(0, SHOWN);
  if (ranked.length === 0) return null;
  return (
    <div className="mt-4 overflow-x-auto">
      <table className="w-full text-sm">
        <caption className="mb-1 text-left text-[13px] text-ink-soft">{title}</caption>
        <thead className="text-[13px] text-ink-soft">
          <tr>
            <th className="py-1 pr-3 text-left font-medium">experiment</th>
            <th className="px-3 py-1 text-right font-medium">{result.objective_label}</th>
            <th className="px-3 py-1 text-right font-medium">against the baseline</th>
            <th className="px-3 py-1 text-left font-medium">SLO</th>
            <th className="py-1 pl-3 text-left font-medium">parameters</th>
          </tr>
        </thead>
        <tbody>
          {ranked.map((experiment) => (
            <tr key={experiment.number} className="border-t border-line align-top">
              <th scope="row" className="py-1.5 pr-3 text-left font-medium whitespace-nowrap">
                <Link
                  to="/experiments/$experimentId"
                  params={{ experimentId: String(experiment.id) }}
                  className="text-accent underline"
                >
                  {titleOf(result, experiment.number)}
                </Link>
              </th>
              <td className="figures px-3 py-1.5 text-right whitespace-nowrap">
                {withUnit(experiment.score, result.unit)}
              </td>
              <td className="figures px-3 py-1.5 text-right">
                {gain(result.words.experiments[experiment.number]?.gain)}
              </td>
              <td className="px-3 py-1.5">
                {experiment.slo_reason ?? result.words.experiments[experiment.number]?.slo}
              </td>
              <td className="min-w-56 py-1.5 pl-3 text-ink-soft">{parametersText(experiment.parameters)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
