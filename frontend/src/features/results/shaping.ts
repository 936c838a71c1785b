/** What plots need, out of what the API says. Nothing is scored or judged here. */

import type { Experiment, MetricName, TaskResult } from "@/api/results";
import { figure } from "@/format/figures";
import { parameterName, parameterValue } from "@/format/parameters";
import type { History, HistoryPoint } from "@/plots/history";
import type { ImportanceBar } from "@/plots/importance";
import type { LoadCurves } from "@/plots/load";
import type { Parallel } from "@/plots/parallel";
import type { SliceOf } from "@/plots/slice";
import type { StartsLine } from "@/plots/starts";
import type { TimelineRow } from "@/plots/timeline";

/** Of an experiment as it stands in plots. */
export const titleOf = (result: TaskResult, number: number): string =>
  result.words.experiments[number]?.title ?? `#${number}`;

/** The best one, and what it is called; the baseline keeps its own name. */
export function chosenOf(result: TaskResult): { experiment: Experiment; name: string } | null {
  const chosen = result.winner ?? result.nearest ?? null;
  return chosen && { experiment: chosen, name: result.words.chosen };
}

export function stateOf(experiment: Experiment): HistoryPoint["state"] | "open" {
  if (typeof experiment.score === "number") return experiment.eligible ? "eligible" : "violating";
  return experiment.failure || experiment.status === "failed" ? "failed" : "open";
}

function linesOf(experiment: Experiment): string[] {
  const lines = Object.entries(experiment.parameters).map(
    ([name, value]) => `${parameterName(name)} ${parameterValue(value)}`,
  );
  if (experiment.slo_reason) lines.unshift(experiment.slo_reason);
  if (experiment.failure) lines.unshift(`${experiment.failure.kind}: ${experiment.failure.diagnosis}`.slice(0, 200));
  return lines;
}

export function historyOf(result: TaskResult): History {
  const chosen = chosenOf(result);
  return {
    label: result.objective_label,
    unit: result.unit,
    direction: result.direction,
    points: (result.experiments ?? []).flatMap((experiment) => {
      const state = stateOf(experiment);
      if (state === "open") return [];
      const title = titleOf(result, experiment.number);
      return [
        { number: experiment.number, title, score: experiment.score ?? null, state, lines: () => linesOf(experiment) },
      ];
    }),
    baseline: result.baseline?.score ?? null,
    best:
      chosen && chosen.experiment.number !== result.baseline?.number
        ? { number: chosen.experiment.number, name: chosen.name }
        : null,
  };
}

/** Names of the parameters with more than one value, in the order in which they occur. */
export function variedParameters(experiments: readonly Experiment[]): string[] {
  const values = new Map<string, Set<string>>();
  for (const experiment of experiments)
    for (const [name, value] of Object.entries(experiment.parameters)) {
      const known = values.get(name) ?? new Set();
      values.set(name, known.add(JSON.stringify(value)));
    }
  return [...values].filter(([, known]) => known.size > 1).map(([name]) => name);
}

/** Values in their order: the engine's choice, then false and true, numbers, text. */
export function inOrder(values: readonly unknown[]): unknown[] {
  const kind = (value: unknown) =>
    value === null || value === undefined ? 0 : typeof value === "boolean" ? 1 : typeof value === "number" ? 2 : 3;
  const unique = new Map(values.map((value) => [JSON.stringify(value ?? null), value ?? null]));
  return [...unique.values()].sort((a, b) => {
    if (kind(a) !== kind(b)) return kind(a) - kind(b);
    return kind(a) < 3 ? Number(a) - Number(b) : String(a).localeCompare(String(b), "en", { numeric: true });
  });
}

const MOST_AXES = 12;

export function parallelOf(result: TaskResult): Parallel | null {
  const scored = (result.experiments ?? []).filter((experiment) => typeof experiment.score === "number");
  const names = variedParameters(scored).slice(0, MOST_AXES);
  if (names.length === 0 || scored.length < 2) return null;
  const best = chosenOf(result)?.experiment.number;
  const ordered = names.map((name) => inOrder(scored.map((experiment) => experiment.parameters[name])));
  const places = ordered.map((values) => new Map(values.map((value, at) => [JSON.stringify(value), at])));
  return {
    label: result.objective_label,
    unit: result.unit,
    direction: result.direction,
    axes: names.map((name, at) => ({
      label: parameterName(name),
      values: ordered[at]?.map((value) => parameterValue(value)) ?? [],
    })),
    // The best one is drawn last, above all others.
    lines: [...scored.filter((one) => one.number !== best), ...scored.filter((one) => one.number === best)].map(
      (experiment) => ({
        number: experiment.number,
        title: titleOf(result, experiment.number),
        places: names.map((name, at) => places[at]?.get(JSON.stringify(experiment.parameters[name] ?? null)) ?? 0),
        score: experiment.score ?? 0,
      }),
    ),
    best: best ?? null,
  };
}

export function importanceOf(result: TaskResult): ImportanceBar[] {
  return (result.importance?.parameters ?? []).map((entry) => ({ ...entry, label: parameterName(entry.parameter) }));
}

export function slicesOf(result: TaskResult): SliceOf[] {
  return (result.slices ?? []).map((slice) => ({
    parameter: parameterName(slice.parameter),
    best: parameterValue(slice.best),
    label: result.objective_label,
    unit: result.unit,
    points: slice.points.map((point) => ({
      value: parameterValue(point.value),
      measured: point.measured ?? null,
      number: point.experiment ?? null,
      modelled: point.modelled ?? null,
      low: point.low ?? null,
      high: point.high ?? null,
    })),
  }));
}

export const PHASES = ["queue", "deploy", "load", "quality", "warm_up", "measure", "teardown"] as const;

export function timelineOf(result: TaskResult): TimelineRow[] {
  return (result.experiments ?? []).flatMap((experiment) => {
    const seconds = experiment.phase_seconds ?? {};
    if (Object.keys(seconds).length === 0) return [];
    return [
      {
        number: experiment.number,
        title: titleOf(result, experiment.number),
        seconds: seconds as Record<string, number>,
      },
    ];
  });
}

export function startsOf(result: TaskResult): StartsLine[] {
  const baseline = result.baseline?.number;
  const numbers = [...new Set((result.confirmation ?? []).map((point) => point.experiment))];
  return numbers
    .sort((a, b) => Number(b === baseline) - Number(a === baseline) || a - b)
    .map((number) => ({
      number,
      title: titleOf(result, number),
      baseline: number === baseline,
      points: (result.confirmation ?? [])
        .flatMap((point) =>
          point.experiment === number && typeof point.score === "number"
            ? [{ block: point.block, score: point.score }]
            : [],
        )
        .sort((a, b) => a.block - b.block),
    }))
    .filter((line) => line.points.length > 0);
}

/** Figures that are drawn over the load: the aggregated metric whose name and unit they share, and the SLO's name. */
const CURVES = [
  { figure: "output_throughput", metric: "mean_output_throughput", slo: null },
  { figure: "mean_ttft", metric: "mean_ttft", slo: "mean TTFT" },
  { figure: "p90_ttft", metric: "p90_ttft", slo: "p90 TTFT" },
  { figure: "mean_tpot", metric: "mean_tpot", slo: "mean TPOT" },
  { figure: "mean_e2e_latency", metric: "mean_e2e_latency", slo: "mean latency" },
  { figure: "goodput", metric: "goodput", slo: null },
] as const;

export function loadCurvesOf(result: TaskResult, names: readonly MetricName[]): LoadCurves[] {
  const curves = (result.load_curves ?? []).filter((curve) => curve.points.length > 1);
  const closed = curves.some((curve) => curve.points.some((point) => typeof point.concurrency === "number"));
  const shown = result.winner ?? result.nearest ?? result.baseline;
  const highest = shown?.metrics?.max_load_meeting_slo;
  return CURVES.flatMap((wanted) => {
    const lines = curves.flatMap((curve) => {
      const scenarios = [...new Set(curve.points.map((point) => scenario(point.load_point)))];
      return scenarios.flatMap((kind) => {
        const points = curve.points.flatMap((point) => {
          const load = point.concurrency ?? point.request_rate;
          const value = point.figures?.[wanted.figure];
          return scenario(point.load_point) === kind && typeof load === "number" && typeof value === "number"
            ? [{ load, value, name: point.load_point }]
            : [];
        });
        const title = titleOf(result, curve.experiment);
        const baseline = curve.experiment === result.baseline?.number;
        return points.length > 1
          ? [{ title: scenarios.length > 1 ? `${title} ${kind}` : title, baseline, points }]
          : [];
      });
    });
    if (lines.length === 0) return [];
    const name = names.find((known) => known.name === wanted.metric);
    return [
      {
        name: wanted.figure,
        label: capital(name?.label ?? wanted.figure),
        unit: name?.unit ?? "",
        loads: closed ? "requests in flight" : "requests per second",
        lines,
        limit: shown?.slo?.find((line) => line.name === wanted.slo)?.threshold ?? null,
        highest: typeof highest === "number" ? highest : null,
      },
    ];
  });
}

const scenario = (point: string) => (point.includes("@") ? point.slice(0, point.lastIndexOf("@")) : point);
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** A metric of an experiment, where it is a number. */
export function metricOf(experiment: Experiment, name: string): number | null {
  const value = experiment.metrics?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** The metrics that one of the experiments has, in the order in which they are shown. */
export function shownMetrics(experiments: readonly Experiment[], names: readonly MetricName[]): MetricName[] {
  return names.filter((name) => experiments.some((experiment) => metricOf(experiment, name.name) !== null));
}

/** `12 experiments`, `1 experiment`. */
export const counted = (count: number, one: string, several = `${one}s`): string =>
  `${figure(count)} ${count === 1 ? one : several}`;
