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
        <Main interval={first} scale={scale} named={others.length > 0} />
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
      <div aria-hidden className="flex flex-wrap justify-between gap-x-4 text-xs text-ink-soft">
        <span>
          {intervals.some((one) => one.pairs.length > 0) &&
            "The band is the interval, its mark the estimate, each circle one pair of starts."}
        </span>
        <span className="ml-auto">{better} →</span>
      </div>
    </div>
  );
}

/** Ends that are closer than this share of the line are named at their outer sides. */
const CLOSE = 0.3;

interface MainProps {
  interval: Interval;
  scale: LineScale;
  /** It stands with others. */
  named: boolean;
}

function Main({ interval, scale, named }: MainProps) {
  const { low, high, significant } = interval;
  const close = low !== null && high !== null && placeOn(scale, high) - placeOn(scale, low) < CLOSE;
  return (
    <div className="relative h-27">
      {named && <span className="absolute top-1 left-1.5 text-xs font-medium">{interval.title}</span>}
      <div
        className={cx(
          "figures absolute top-1 -translate-x-1/2 text-xl font-semibold whitespace-nowrap",
          significant ? "text-good" : "text-ink",
        )}
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
          <End scale={scale} value={low} shift={close ? "-translate-x-full" : "-translate-x-1/2"} />
          <End scale={scale} value={high} shift={close ? "" : "-translate-x-1/2"} />
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
          className={cx(
            "absolute top-[3.2rem] size-[0.7rem] -translate-x-1/2 rounded-full border-[1.5px] bg-surface",
            significant ? "border-good" : "border-ink-soft",
          )}
          style={left(scale, pair)}
        />
      ))}
    </div>
  );
}

function End({ scale, value, shift }: { scale: LineScale; value: number; shift: string }) {
  return (
    <span
      className={cx("figures absolute top-20 px-0.5 text-[13px] font-medium whitespace-nowrap text-ink", shift)}
      style={left(scale, value)}
    >
      {gain(value)}
    </span>
  );
}

/** A further interval: a thin bar with its name above, at the end of the line. */
function Other({ interval, scale }: { interval: Interval; scale: LineScale }) {
  const { low, high } = interval;
  return (
    <div className="relative h-9">
      <span className="figures absolute top-0 right-0 text-xs text-ink-soft">
        {interval.title} <span className="font-medium">{gain(interval.gain)}</span>
      </span>
      {low !== null && high !== null && (
        <div
          className="absolute top-5 h-2 rounded-sm bg-ink-soft/35"
          style={{ ...left(scale, low), width: `${(placeOn(scale, high) - placeOn(scale, low)) * 100}%` }}
        />
      )}
      <div className="absolute top-4 h-4 w-0.5 -translate-x-1/2 bg-ink-soft" style={left(scale, interval.gain)} />
    </div>
  );
}
