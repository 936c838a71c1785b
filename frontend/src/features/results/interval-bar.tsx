import { cx } from "@/components/ui/class-names";
import { type LineScale, lineScale, placeOn } from "@/features/results/scale";
import { gain } from "@/format/figures";

export interface Interval {
  title: string;
  /** Relative to the baseline: 0.25 is 25 % better. */
  gain: number;
  low: number | null;
  high: number | null;
  significant: boolean;
  /** Gains of single pairs of starts. */
  pairs: readonly number[];
  /** The whole in words, for those who do not see it. */
  text: string;
}

const percent = (share: number) => `${(share * 100).toLocaleString("en-US", { maximumFractionDigits: 1 })} %`;
const left = (scale: LineScale, value: number) => ({ left: `${placeOn(scale, value) * 100}%` });

/** Gains on one line: the estimate, its interval, the pairs it comes from, and where the baseline is. */
export function IntervalBar({ intervals, better }: { intervals: readonly Interval[]; better: string }) {
  const [first, ...others] = intervals;
  if (!first) return null;
  const known = intervals.flatMap((one) => [one.gain, one.low ?? one.gain, one.high ?? one.gain, ...one.pairs]);
  const scale = lineScale(known);
  return (
    <div role="img" aria-label={intervals.map((one) => `${one.title}: ${one.text}`).join(". ")} className="select-none">
      <div className="relative">
        <div
          aria-hidden
          className="absolute inset-y-0 left-0 rounded-l bg-sunken/70"
          style={{ width: `${placeOn(scale, 0) * 100}%` }}
        />
        {scale.ticks.map((tick) => (
          <div key={tick} aria-hidden className="absolute inset-y-0 w-px bg-line" style={left(scale, tick)} />
        ))}
        <div aria-hidden className="absolute -top-1 bottom-0 w-0.5 -translate-x-1/2 bg-ink" style={left(scale, 0)} />
        <Main interval={first} scale={scale} />
        {others.map((one) => (
          <Other key={one.title} interval={one} scale={scale} />
        ))}
      </div>
      <div aria-hidden className="figures relative mt-1 h-5 text-xs text-ink-soft">
        {scale.ticks.map((tick) => (
          <span
            key={tick}
            className={cx(
              "absolute -translate-x-1/2 whitespace-nowrap",
              Math.abs(tick) < 1e-9 && "font-semibold text-ink",
            )}
            style={left(scale, tick)}
          >
            {Math.abs(tick) < 1e-9 ? "baseline" : `${tick > 0 ? "+" : "−"}${percent(Math.abs(tick))}`}
          </span>
        ))}
      </div>
      <div aria-hidden className="flex justify-between text-xs text-ink-soft">
        <span>{placeOn(scale, 0) > 0.16 ? "← worse than the baseline" : ""}</span>
        <span>{better} →</span>
      </div>
    </div>
  );
}

function Main({ interval, scale }: { interval: Interval; scale: LineScale }) {
  const { low, high, significant } = interval;
  const tone = significant ? "text-good" : "text-ink";
  return (
    <div className="relative h-28">
      <div
        className={cx("absolute top-1 -translate-x-1/2 text-xl font-semibold figures", tone)}
        style={left(scale, interval.gain)}
      >
        {gain(interval.gain)}
      </div>
      {low !== null && high !== null && (
        <>
          <div
            className={cx(
              "absolute top-10 h-9 rounded-[3px] border-x-[3px]",
              significant ? "border-good bg-good/22" : "border-ink-soft bg-ink-soft/18",
            )}
            style={{ ...left(scale, low), width: `${(placeOn(scale, high) - placeOn(scale, low)) * 100}%` }}
          />
          <End scale={scale} value={low} side="low" />
          <End scale={scale} value={high} side="high" />
        </>
      )}
      <div
        className={cx("absolute top-9 h-11 w-[3px] -translate-x-1/2 rounded-full", significant ? "bg-good" : "bg-ink")}
        style={left(scale, interval.gain)}
      />
      {interval.pairs.map((pair, at) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: rounds stay in their order
          key={at}
          className="absolute top-[5.6rem] size-2.5 -translate-x-1/2 rounded-full border-[1.5px] border-accent bg-surface"
          style={left(scale, pair)}
        />
      ))}
    </div>
  );
}

function End({ scale, value, side }: { scale: LineScale; value: number; side: "low" | "high" }) {
  return (
    <span
      className={cx(
        "figures absolute top-12 px-1.5 text-[13px] font-medium text-ink",
        side === "low" ? "-translate-x-full" : "",
        // At the edge of the line the figure would be cut off.
        side === "low" && placeOn(scale, value) < 0.12 && "top-[-0.1rem]! translate-x-0!",
        side === "high" && placeOn(scale, value) > 0.88 && "top-[-0.1rem]! -translate-x-full!",
      )}
      style={left(scale, value)}
    >
      {gain(value)}
    </span>
  );
}

function Other({ interval, scale }: { interval: Interval; scale: LineScale }) {
  const { low, high } = interval;
  return (
    <div className="relative h-8">
      {low !== null && high !== null && (
        <div
          className="absolute top-3 h-2 rounded-sm bg-ink-soft/35"
          style={{ ...left(scale, low), width: `${(placeOn(scale, high) - placeOn(scale, low)) * 100}%` }}
        />
      )}
      <div className="absolute top-2 h-4 w-0.5 -translate-x-1/2 bg-ink-soft" style={left(scale, interval.gain)} />
      <span
        className={cx(
          "figures absolute top-1.5 px-2 text-xs text-ink-soft",
          placeOn(scale, high ?? interval.gain) > 0.8 && "-translate-x-full",
        )}
        style={left(
          scale,
          placeOn(scale, high ?? interval.gain) > 0.8 ? (low ?? interval.gain) : (high ?? interval.gain),
        )}
      >
        {interval.title} {gain(interval.gain)}
      </span>
    </div>
  );
}
