/** Places on a line from `low` to `high`, with round marks. */
export interface LineScale {
  low: number;
  high: number;
  ticks: readonly number[];
}

/** Share of the line that is left free at each end, for the figures that stand there. */
const ROOM = 0.14;

/** A line that holds all values and zero, with some room at both ends, and about `count` round marks. */
export function lineScale(values: readonly number[], count = 5): LineScale {
  const least = Math.min(0, ...values);
  const most = Math.max(0, ...values);
  const span = most - least || 0.02;
  const low = least - span * ROOM;
  const high = most + span * ROOM;
  const step = roundStep((high - low) / count);
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step);
  const ticks = Array.from({ length: last - first + 1 }, (_, at) => (first + at) * step);
  return { low, high, ticks };
}

/** The share of the line at which a value lies. */
export function placeOn(scale: LineScale, value: number): number {
  return (value - scale.low) / (scale.high - scale.low);
}

/** 1, 2, 2.5 or 5 times a power of ten, no smaller than asked for. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const found = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= least * 0.999) ?? 10;
  return found * power;
}
