import type { TaskResult } from "@/api/results";
import { Badge, type Tone } from "@/components/ui/badge";
import { cx } from "@/components/ui/class-names";
import { type Interval, IntervalBar } from "@/features/results/interval-bar";
import { titleOf } from "@/features/results/shaping";
import { duration, figure } from "@/format/figures";
import { percent } from "@/format/units";

type Verdict = NonNullable<TaskResult["verdict"]>;

const WORDS: Record<Verdict, [string, Tone]> = {
  gain: ["Better than the baseline", "good"],
  only_eligible: ["The only one that keeps the SLO", "good"],
  no_significant_gain: ["No significant gain", "warn"],
  unconfirmed: ["Not confirmed", "warn"],
  no_baseline: ["No baseline to compare with", "warn"],
  infeasible: ["No configuration meets the SLO", "bad"],
  measured: ["Measured", "accent"],
  no_result: ["No result", "bad"],
};

/** Longer headlines, such as of several objectives, are set smaller. */
const LONG = 230;

/** The verdict: the sentence, the interval on which it rests, and the evidence in figures. */
export function VerdictPanel({ result }: { result: TaskResult }) {
  const [word, tone] = wordOf(result);
  // Where nothing can win, gains are only in the table of the finalists.
  const intervals = result.verdict === "infeasible" ? [] : intervalsOf(result);
  return (
    <section aria-label="Verdict" className="rounded-lg border border-line bg-surface px-5 py-5 md:px-7 md:py-6">
      <div className="flex flex-wrap gap-2">
        <Badge tone={tone}>{word}</Badge>
        {result.predicted && <Badge tone="warn">predicted</Badge>}
      </div>
      <h2
        className={cx(
          "mt-2 max-w-[62ch] leading-snug font-semibold tracking-tight text-balance",
          result.headline.length > LONG ? "max-w-[80ch] text-lg!" : "text-[1.4rem]!",
        )}
      >
        {result.headline}
      </h2>
      <p className="mt-2 text-sm text-ink-soft">{factsOf(result)}</p>
      {intervals.length > 0 && (
        <div className="mt-7">
          <IntervalBar intervals={intervals} better={`better ${result.objective_label}`} />
        </div>
      )}
      <Evidence result={result} />
      {result.predicted && (
        <p className="mt-4 text-sm text-warn">
          These figures are predictions of a model of the hardware; no server was measured.
        </p>
      )}
    </section>
  );
}

function wordOf(result: TaskResult): [string, Tone] {
  if (result.so_far) return ["Not finished: what is known so far", "accent"];
  if (result.status === "cancelled") return ["Cancelled: what was measured until then", "neutral"];
  if (result.status === "failed") return ["The task failed", "bad"];
  return result.verdict ? WORDS[result.verdict] : ["Result", "neutral"];
}

function factsOf(result: TaskResult): string {
  const at = result.scored_at.length ? ` at ${result.scored_at.join(", ")}` : "";
  return [
    `${result.objective_label}${at}`,
    `model ${result.model}`,
    `${result.engine} ${result.engine_version ?? ""}`.trim(),
    `${result.deployment_mode} deployment`,
  ].join(" · ");
}

/** The winner's gain first, then those of the other finalists. */
export function intervalsOf(result: TaskResult): Interval[] {
  const first = result.gain ? [result.gain] : [];
  const others = (result.finalists ?? []).filter((one) => one.experiment !== result.gain?.experiment);
  return [...first, ...others].map((one) => ({
    title: titleOf(result, one.experiment),
    gain: one.gain,
    low: one.vague ? null : (one.low ?? null),
    high: one.vague ? null : (one.high ?? null),
    significant: one.significant,
    pairs: (result.words.finalists[one.experiment]?.pairs ?? []).filter((pair) => pair !== null),
    text: result.words.finalists[one.experiment]?.text ?? "",
  }));
}

function Evidence({ result }: { result: TaskResult }) {
  const gain = result.gain;
  const cells: [string, string, string?][] = [
    ...(gain
      ? ([
          [
            "pairs of starts",
            figure(gain.pairs),
            gain.confidence ? `${percent(gain.confidence, 0)} interval` : undefined,
          ],
        ] as [string, string, string?][])
      : []),
    ...(typeof result.noise === "number"
      ? ([["noise", percent(result.noise), "from start to start"]] as [string, string, string?][])
      : []),
    ["experiments", figure(result.experiments?.length ?? 0), countsText(result)],
    ["server starts", figure(result.attempts)],
    ["time", duration(result.elapsed_s)],
  ];
  return (
    <div className="mt-5 border-t border-line pt-4">
      <dl className="flex flex-wrap gap-x-9 gap-y-3">
        {cells.map(([name, value, note]) => (
          <div key={name}>
            <dt className="text-[13px] text-ink-soft">{name}</dt>
            <dd className="figures text-lg leading-6 font-semibold">{value}</dd>
            {note && <dd className="text-xs text-ink-soft">{note}</dd>}
          </div>
        ))}
      </dl>
      <ul className="mt-3 grid max-w-[90ch] gap-1 text-sm text-ink-soft">
        {result.words.certainty && gain?.significant && <li>{result.words.certainty}.</li>}
        {result.words.noise && <li>{capital(result.words.noise)}.</li>}
        {(result.ruled_out ?? []).map((out) => (
          <li key={out.experiment}>
            Ruled out when started again: {titleOf(result, out.experiment)}, {out.reason}.
          </li>
        ))}
        {result.words.measuring && <li>{result.words.measuring}.</li>}
        {(result.words.quality ?? []).map((line) => (
          <li key={line}>{line}.</li>
        ))}
        {result.stop_reason && <li>Stopped: {result.stop_reason}.</li>}
      </ul>
    </div>
  );
}

function countsText(result: TaskResult): string {
  const counts = result.counts ?? {};
  const parts: [number | undefined, string][] = [
    [counts.failed, "failed"],
    [counts.pruned, "stopped early"],
    [counts.slo_violation, counts.slo_violation === 1 ? "breaks an SLO" : "break an SLO"],
  ];
  return parts.flatMap(([count, word]) => (count ? [`${count} ${word}`] : [])).join(", ");
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
