import { duration } from "@/format/figures";
import { PHASE_ORDER, phaseName } from "@/format/phases";

const SHADES = [
  "bg-line-strong",
  "bg-accent/40",
  "bg-accent/60",
  "bg-warn/60",
  "bg-warn",
  "bg-accent",
  "bg-line-strong",
];

/** How long each phase of a server start took: a bar, and the same in words. */
export function PhaseBar({ seconds }: { seconds: Readonly<Record<string, number>> }) {
  const phases = PHASE_ORDER.flatMap((phase, place) => {
    const took = seconds[phase];
    return took === undefined ? [] : [{ phase, took, shade: SHADES[place] ?? "bg-accent" }];
  });
  const whole = phases.reduce((sum, { took }) => sum + took, 0);
  if (phases.length === 0) return <p className="text-sm text-ink-soft">No phase has ended yet.</p>;
  return (
    <div className="grid gap-1.5">
      <div aria-hidden className="flex h-3 gap-px overflow-hidden rounded bg-sunken">
        {phases.map(({ phase, took, shade }) => (
          <div key={phase} className={shade} style={{ width: `${(100 * took) / Math.max(whole, 1e-9)}%` }} />
        ))}
      </div>
      <ul className="flex flex-wrap gap-x-4 gap-y-0.5 text-xs">
        {phases.map(({ phase, took, shade }) => (
          <li key={phase} className="figures flex items-center gap-1.5">
            <span aria-hidden className={`size-2 rounded-xs ${shade}`} />
            {phaseName(phase)} {duration(took)}
          </li>
        ))}
      </ul>
    </div>
  );
}
