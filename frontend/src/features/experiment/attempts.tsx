import type { ExperimentDetails } from "@/api/experiment";
import { Badge, type Tone } from "@/components/ui/badge";
import { bytes, duration } from "@/format/figures";

const TONES: Record<string, Tone> = { success: "good", pruned: "warn", failed: "bad", running: "accent" };

/** Each server that was started for the experiment: why, how it ended, how long it took, its log. */
export function Attempts({ experiment }: { experiment: ExperimentDetails }) {
  const attempts = experiment.attempts ?? [];
  if (attempts.length === 0)
    return <p className="px-4 pb-4 text-sm text-ink-soft">No server was started for it yet.</p>;
  return (
    <table className="w-full text-sm">
      <thead className="text-left text-[13px] text-ink-soft">
        <tr>
          <th className="px-4 py-1 font-medium">start</th>
          <th className="px-3 py-1 font-medium">why</th>
          <th className="px-3 py-1 font-medium">ended</th>
          <th className="px-3 py-1 text-right font-medium">time</th>
          <th className="px-3 py-1 text-right font-medium">memory, most</th>
          <th className="px-3 py-1 font-medium">begun</th>
          <th className="px-4 py-1 font-medium">log</th>
        </tr>
      </thead>
      <tbody>
        {attempts.map((attempt) => {
          const seconds = Object.values(attempt.phase_seconds ?? {}).reduce(
            (sum: number, value) => sum + (value ?? 0),
            0,
          );
          return (
            <tr key={attempt.id} className="border-t border-line align-top">
              <th scope="row" className="figures px-4 py-1.5 text-left font-medium">
                {attempt.number}
              </th>
              <td className="px-3 py-1.5">
                {attempt.reason.replaceAll("_", " ")}
                {typeof attempt.block === "number" && (
                  <span className="text-ink-soft">, round {attempt.block + 1}</span>
                )}
              </td>
              <td className="px-3 py-1.5">
                <Badge tone={TONES[attempt.status] ?? "neutral"}>{attempt.status.replaceAll("_", " ")}</Badge>
                {attempt.error && <p className="mt-1 max-w-prose min-w-48 break-words">{attempt.error.diagnosis}</p>}
              </td>
              <td className="figures px-3 py-1.5 text-right whitespace-nowrap">{duration(seconds)}</td>
              <td className="figures px-3 py-1.5 text-right whitespace-nowrap">
                {attempt.peak_rss_bytes ? bytes(attempt.peak_rss_bytes) : "–"}
              </td>
              <td className="figures px-3 py-1.5 whitespace-nowrap">
                <time dateTime={attempt.started_at}>{new Date(attempt.started_at).toLocaleString()}</time>
              </td>
              <td className="px-4 py-1.5">
                <a
                  href={`/api/experiments/${experiment.id}/logs?attempt=${attempt.number}&limit=1048576`}
                  target="_blank"
                  rel="noreferrer"
                  className="text-accent underline"
                  aria-label={`Log of start ${attempt.number}`}
                >
                  open
                </a>
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
