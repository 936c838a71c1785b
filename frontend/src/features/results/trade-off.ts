/** The trade-off's axes, and its points on two of them. */

import type { Experiment, MetricName, TaskResult } from "@/api/results";
import { chosenOf, metricOf, shownMetrics, titleOf } from "@/features/results/shaping";
import { parameterName, parameterValue } from "@/format/parameters";
import type { Place, TradeOff, TradeOffAxis, TradeOffPoint } from "@/plots/trade-off";

export interface AxisChoice {
  /** As in the address. */
  id: string;
  axis: TradeOffAxis;
}

/** What can stand on an axis: the objectives, the score, what SLOs limit, then every metric. */
export function axisChoices(result: TaskResult, names: readonly MetricName[]): AxisChoice[] {
  const experiments = result.experiments ?? [];
  // A single point shows no trade-off: then the score and the SLOs say more.
  const several = (result.pareto?.points.length ?? 0) > 1;
  const objectives = (several ? (result.pareto?.objectives ?? []) : []).map((objective) => ({
    id: `objective:${objective.name}`,
    axis: { label: objective.label, unit: objective.unit, direction: objective.direction, limits: [] },
  }));
  const score: AxisChoice = {
    id: "score",
    axis: { label: result.objective_label, unit: result.unit, direction: result.direction, limits: [] },
  };
  const slos = new Map<string, AxisChoice>();
  for (const experiment of experiments)
    for (const line of experiment.slo ?? []) {
      const limits = [{ name: `limit of ${line.name}`, value: line.threshold }];
      const axis = { label: line.name, unit: line.unit, direction: "minimize" as const, limits };
      if (!slos.has(line.name)) slos.set(line.name, { id: `slo:${line.name}`, axis });
    }
  const metrics = shownMetrics(experiments, names).map((name) => ({
    id: `metric:${name.name}`,
    axis: { label: name.label, unit: name.unit, direction: null, limits: [] },
  }));
  return [...objectives, ...(objectives.length ? [] : [score]), ...slos.values(), ...metrics];
}

/** The two axes that are shown unless others are chosen. */
export function usualAxes(choices: readonly AxisChoice[]): [string, string] {
  const ids = choices.map((choice) => choice.id);
  const objectives = ids.filter((id) => id.startsWith("objective:"));
  if (objectives[0] && objectives[1]) return [objectives[1], objectives[0]];
  const timed = choices.find((choice) => choice.id.startsWith("slo:") && choice.axis.unit === "s");
  return [timed?.id ?? ids.find((id) => id === "metric:mean_ttft") ?? ids[1] ?? "score", "score"];
}

const valueOn = (result: TaskResult, experiment: Experiment, id: string): number | null => {
  const [kind, name] = [id.slice(0, id.indexOf(":")), id.slice(id.indexOf(":") + 1)];
  if (id === "score") return experiment.score ?? null;
  if (kind === "slo") return experiment.slo?.find((line) => line.name === name)?.actual ?? null;
  if (kind === "metric") return metricOf(experiment, name);
  const at = result.pareto?.objectives.findIndex((objective) => objective.name === name) ?? -1;
  return result.pareto?.points.find((point) => point.experiment === experiment.number)?.values[at] ?? null;
};

/** Points on two axes. What is known of the front and of uncertainty belongs to two objectives only. */
export function tradeOffOf(result: TaskResult, x: AxisChoice, y: AxisChoice): TradeOff {
  const objectives = result.pareto?.objectives.map((objective) => `objective:${objective.name}`) ?? [];
  const [atX, atY] = [objectives.indexOf(x.id), objectives.indexOf(y.id)];
  const ofFront = atX >= 0 && atY >= 0 && atX !== atY;
  const chosen = chosenOf(result);
  const points = (result.experiments ?? []).flatMap((experiment): TradeOffPoint[] => {
    const at = { x: valueOn(result, experiment, x.id), y: valueOn(result, experiment, y.id) };
    if (at.x === null || at.y === null) return [];
    const point = ofFront ? result.pareto?.points.find((one) => one.experiment === experiment.number) : undefined;
    const end = (which: readonly number[] | null | undefined): [number, number] | null => {
      const [ex, ey] = [which?.[atX], which?.[atY]];
      return ex === undefined || ey === undefined ? null : [ex, ey];
    };
    const place: Place = !experiment.eligible || point?.eligible === false ? "violating" : (point?.place ?? "measured");
    const roles = [
      ...(point?.best_in ?? []).map((name) => `best in ${name}`),
      ...(point?.knee ? ["knee of the front"] : []),
    ];
    return [
      {
        number: experiment.number,
        title: titleOf(result, experiment.number),
        x: at.x,
        y: at.y,
        low: end(point?.low),
        high: end(point?.high),
        place,
        joined: ofFront && objectives.length === 2 && point?.on_front === true,
        role:
          experiment.number === result.baseline?.number
            ? "baseline"
            : experiment.number === chosen?.experiment.number
              ? "best"
              : null,
        lines: () => [
          ...roles,
          ...(experiment.slo_reason ? [experiment.slo_reason] : []),
          ...Object.entries(experiment.parameters).map(
            ([name, value]) => `${parameterName(name)} ${parameterValue(value)}`,
          ),
        ],
      },
    ];
  });
  return {
    x: x.axis,
    y: y.axis,
    points,
    confidence: ofFront ? (result.pareto?.confidence ?? null) : null,
    best: chosen?.name ?? "best",
  };
}
