import type { Dashboard } from "@/api/dashboard";
import { Panel } from "@/components/ui/panel";
import { hourOf } from "@/format/moments";

const HEIGHT = 96;
const BAR = 10;
const STEP = 14;
/** From the bottom. The fills differ in lightness too, for those who see no red or green. */
const PARTS = [
  { kind: "success", word: "measured", fill: "var(--accent)" },
  { kind: "pruned", word: "stopped early", fill: "var(--line-strong)" },
  { kind: "failed", word: "failed", fill: "var(--bad)" },
  { kind: "cancelled", word: "cancelled", fill: "var(--line)" },
] as const;

/** How many experiments ended in each of the last 24 hours and the present one. */
export function Timeline({ hours }: { hours: Dashboard["timeline"] }) {
  const counted = hours.map(({ begin, experiments = {} }) => ({
    begin,
    parts: PARTS.map((part) => ({ ...part, count: experiments[part.kind] ?? 0 })),
    all: PARTS.reduce((sum, { kind }) => sum + (experiments[kind] ?? 0), 0),
  }));
  const most = Math.max(1, ...counted.map(({ all }) => all));
  const total = counted.reduce((sum, { all }) => sum + all, 0);
  const width = counted.length * STEP;
  return (
    <Panel
      title="Experiments that ended in the last 24 hours"
      actions={
        <ul className="flex flex-wrap gap-x-4 text-xs text-ink-soft">
          {PARTS.map(({ kind, word, fill }) => (
            <li key={kind} className="flex items-center gap-1.5">
              <span aria-hidden className="size-2.5 rounded-xs" style={{ background: fill }} />
              {word}
            </li>
          ))}
        </ul>
      }
    >
      {total === 0 ? (
        <p className="text-sm text-ink-soft">None has ended.</p>
      ) : (
        <figure>
          <svg
            viewBox={`0 0 ${width} ${HEIGHT}`}
            preserveAspectRatio="none"
            className="h-28 w-full"
            role="img"
            aria-label={`${total} experiments, at most ${most} in one hour`}
          >
            {counted.map(({ begin, parts, all }, place) => (
              <g key={begin}>
                <title>{`${hourOf(begin)}: ${all === 0 ? "none" : spoken(parts)}`}</title>
                <rect x={place * STEP} y={0} width={STEP} height={HEIGHT} fill="transparent" />
                {stacked(parts, most).map(({ kind, fill, y, height }) => (
                  <rect key={kind} x={place * STEP + (STEP - BAR) / 2} y={y} width={BAR} height={height} fill={fill} />
                ))}
              </g>
            ))}
          </svg>
          <figcaption className="figures flex justify-between border-t border-line pt-1 text-xs text-ink-soft">
            <span>{hours[0] && hourOf(hours[0].begin)}</span>
            <span>most in one hour: {most}</span>
            <span>now</span>
          </figcaption>
        </figure>
      )}
    </Panel>
  );
}

interface Part {
  kind: string;
  word: string;
  fill: string;
  count: number;
}

function stacked(parts: readonly Part[], most: number): (Part & { y: number; height: number })[] {
  let top = HEIGHT;
  return parts
    .filter(({ count }) => count > 0)
    .map((part) => {
      const height = (part.count / most) * HEIGHT;
      top -= height;
      return { ...part, y: top, height };
    });
}

const spoken = (parts: readonly Part[]) =>
  parts
    .filter(({ count }) => count > 0)
    .map(({ count, word }) => `${count} ${word}`)
    .join(", ");
