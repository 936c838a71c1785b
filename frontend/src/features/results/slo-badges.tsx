import type { SloLine } from "@/api/results";
import { Badge, type Tone } from "@/components/ui/badge";
import { withUnit } from "@/format/units";

/** What an SLO came to, in a word and a tone. */
export function sloWord(line: SloLine): [string, Tone] {
  if (line.actual === null || line.actual === undefined) return ["not measured", "neutral"];
  if (line.met) return ["met", "good"];
  return line.violated ? ["violated", "bad"] : ["missed", "warn"];
}

/** Each SLO with its figure and its limit. The bar reaches the mark where the limit is kept by a hair. */
export function SloGauges({ lines, over }: { lines: readonly SloLine[]; over?: string }) {
  if (lines.length === 0) return <p className="text-sm text-ink-soft">The task has no SLO.</p>;
  return (
    <div>
      {over && <p className="mb-2 text-[13px] text-ink-soft">{over}</p>}
      <ul className="grid gap-3">
        {lines.map((line) => (
          <SloGauge key={line.name} line={line} />
        ))}
      </ul>
    </div>
  );
}

function SloGauge({ line }: { line: SloLine }) {
  const [word, tone] = sloWord(line);
  const most = Math.max(line.actual ?? 0, line.threshold) * 1.06 || 1;
  const fill = tone === "good" ? "bg-good/45" : tone === "bad" ? "bg-bad/55" : "bg-warn/50";
  return (
    <li>
      <div className="flex flex-wrap items-baseline justify-between gap-x-3 text-sm">
        <span>
          {line.name} <span className="text-ink-soft">({line.hard ? "hard" : "soft"})</span>
        </span>
        <span className="flex items-baseline gap-2">
          <span className="figures">
            <span className="font-medium">{withUnit(line.actual, line.unit)}</span>
            <span className="text-ink-soft"> of at most {withUnit(line.threshold, line.unit)}</span>
          </span>
          <Badge tone={tone}>{word}</Badge>
        </span>
      </div>
      <div aria-hidden className="relative mt-1 h-2 rounded-sm bg-sunken">
        <div className={`h-full rounded-sm ${fill}`} style={{ width: `${((line.actual ?? 0) / most) * 100}%` }} />
        <div className="absolute -inset-y-1 w-0.5 bg-ink" style={{ left: `${(line.threshold / most) * 100}%` }} />
      </div>
    </li>
  );
}

/** One badge for all SLOs of an experiment, in the API's word. */
export function SloBadge({ word, eligible }: { word: string; eligible: boolean }) {
  if (word === "–") return <span className="text-ink-soft">–</span>;
  return <Badge tone={word === "met" ? "good" : eligible ? "warn" : "bad"}>{word}</Badge>;
}
