import { describe, expect, it } from "vitest";
import { experimentColumns, isWanted } from "@/features/results/experiment-columns";
import { shownColumns, sortOf } from "@/features/results/experiments-view";
import {
  historyOf,
  inOrder,
  loadCurvesOf,
  parallelOf,
  shownMetrics,
  startsOf,
  stateOf,
  timelineOf,
  variedParameters,
} from "@/features/results/shaping";
import { axisChoices, tradeOffOf, usualAxes } from "@/features/results/trade-off";
import { intervalsOf } from "@/features/results/verdict-panel";
import { experiment, names, result } from "./result";

const failed = experiment(3, {
  score: null,
  eligible: false,
  status: "failed",
  failure: { kind: "oom", diagnosis: "out of memory", hint: "less", log_tail: "", certain: false, phase: "load" },
});

describe("states", () => {
  it.each([
    [experiment(1), "eligible"],
    [experiment(1, { eligible: false }), "violating"],
    [failed, "failed"],
    [experiment(1, { score: null, eligible: false, status: "pending" }), "open"],
  ])("tells them", (one, state) => expect(stateOf(one)).toBe(state));
});

describe("history", () => {
  it("has what was measured or failed, and the best one under its name", () => {
    const history = historyOf(
      result({}, [
        experiment(0),
        experiment(1),
        experiment(2),
        failed,
        experiment(4, { score: null, status: "pending" }),
      ]),
    );
    expect(history.points.map((point) => point.number)).toEqual([0, 1, 2, 3]);
    expect(history.points[3]?.lines()[0]).toBe("oom: out of memory");
    expect(history.best).toEqual({ number: 2, name: "winner" });
    expect(history.baseline).toBe(10);
  });

  it("marks no best one where the baseline stays", () => {
    expect(historyOf(result({ winner: experiment(0) })).best).toBeNull();
  });
});

describe("parameters", () => {
  it("are axes where they vary", () => {
    expect(variedParameters([experiment(0), experiment(1)])).toEqual(["n_batch"]);
  });

  it("have their values in order", () => {
    expect(inOrder(["b", 10, null, true, 9, "a10", "a9", false, 9])).toEqual([
      null,
      false,
      true,
      9,
      10,
      "a9",
      "a10",
      "b",
    ]);
  });

  it("tell 1 from true and from text", () => expect(inOrder([1, true, "1"])).toEqual([true, 1, "1"]));

  it("lead to a line per scored experiment, the best one last", () => {
    const parallel = parallelOf(
      result({ winner: experiment(1) }, [experiment(0), experiment(1), experiment(2), failed]),
    );
    expect(parallel?.axes).toEqual([{ label: "n_batch", values: ["32", "64", "96"] }]);
    expect(parallel?.lines.map((line) => [line.number, line.places[0]])).toEqual([
      [0, 0],
      [2, 2],
      [1, 1],
    ]);
  });

  it("are not drawn for a single experiment", () => expect(parallelOf(result({}, [experiment(0)]))).toBeNull());
});

describe("trade-off", () => {
  it("offers the score, what SLOs limit, and the metrics that were measured", () => {
    const choices = axisChoices(result(), names);
    expect(choices.map((choice) => choice.id)).toEqual([
      "score",
      "slo:mean TTFT",
      "metric:mean_total_throughput",
      "metric:mean_ttft",
    ]);
    expect(choices[1]?.axis.limits).toEqual([{ name: "limit of mean TTFT", value: 0.5 }]);
    expect(usualAxes(choices)).toEqual(["slo:mean TTFT", "score"]);
  });

  const front = result({
    pareto: {
      objectives: [
        { name: "maximize_throughput", label: "throughput", unit: "tokens/s", direction: "maximize", noise: 0.01 },
        { name: "minimize_ttft", label: "TTFT", unit: "s", direction: "minimize", noise: 0.01 },
      ],
      points: [
        {
          experiment: 1,
          values: [20, 0.2],
          low: [19, 0.19],
          high: [21, 0.21],
          starts: 3,
          eligible: true,
          failed: false,
          on_front: true,
          probability: 0.99,
          place: "front",
          best_in: ["minimize_ttft"],
          knee: false,
        },
        {
          experiment: 2,
          values: [30, 0.3],
          low: null,
          high: null,
          starts: 1,
          eligible: true,
          failed: false,
          on_front: false,
          probability: null,
          place: null,
          best_in: [],
          knee: false,
        },
      ],
      confidence: 0.95,
      left_out: 0,
      note: null,
    },
  });

  it("knows the front and the uncertainty of two objectives", () => {
    const choices = axisChoices(front, names);
    expect(usualAxes(choices)).toEqual(["objective:minimize_ttft", "objective:maximize_throughput"]);
    const [y, x] = choices;
    if (!x || !y) throw new Error("two objectives");
    const plot = tradeOffOf(front, x, y);
    expect(plot.confidence).toBe(0.95);
    expect(plot.points.map((point) => [point.number, point.place, point.joined, point.low])).toEqual([
      [1, "front", true, [0.19, 19]],
      [2, "measured", false, null],
    ]);
  });

  it("claims no front on other axes", () => {
    const choices = axisChoices(front, names);
    const [y, , x] = choices;
    if (!x || !y) throw new Error("an SLO");
    const plot = tradeOffOf(front, x, y);
    expect(plot.confidence).toBeNull();
    expect(plot.points.every((point) => point.place === "measured" && !point.joined)).toBe(true);
  });
});

describe("the rest", () => {
  it("gives an interval per finalist, the winner's first, without ends that are too vague", () => {
    const gain = result().gain;
    if (!gain) throw new Error("a gain");
    const other = { ...gain, experiment: 1, gain: 0.1, vague: true, significant: false };
    const intervals = intervalsOf(result({ finalists: [other, gain] }));
    expect(intervals.map((one) => [one.title, one.low, one.pairs])).toEqual([
      ["#2", 1.8, [1.9, 2.1]],
      ["#1", null, []],
    ]);
  });

  it("puts the baseline's starts first, and leaves out those without a score", () => {
    const point = (block: number, number: number, score: number | null) => ({
      block,
      experiment: number,
      score,
      metrics: {},
    });
    const lines = startsOf(
      result({ confirmation: [point(1, 2, 31), point(0, 2, 30), point(0, 0, 10), point(1, 0, null)] }),
    );
    expect(lines.map((line) => [line.number, line.baseline, line.points.map((one) => one.block)])).toEqual([
      [0, true, [0]],
      [2, false, [0, 1]],
    ]);
  });

  it("has curves where there are several loads, with the limit of their SLO", () => {
    const at = (load: number, ttft: number) => ({
      load_point: `D(1,1)@${load}`,
      concurrency: load,
      request_rate: null,
      windows: 1,
      figures: { mean_ttft: ttft },
    });
    const curves = loadCurvesOf(
      result({ load_curves: [{ experiment: 2, starts: 1, points: [at(1, 0.1), at(4, 0.2)] }] }),
      names,
    );
    expect(curves.map((curve) => [curve.name, curve.label, curve.unit, curve.limit, curve.loads])).toEqual([
      ["mean_ttft", "TTFT, mean", "s", 0.5, "requests in flight"],
    ]);
    expect(loadCurvesOf(result({ load_curves: [{ experiment: 2, starts: 1, points: [at(1, 0.1)] }] }), names)).toEqual(
      [],
    );
  });

  it("shows the metrics that there are, in the API's order", () => {
    expect(shownMetrics([experiment(0)], names).map((name) => name.name)).toEqual([
      "mean_total_throughput",
      "mean_ttft",
    ]);
  });

  it("has the times of those that were started", () => {
    expect(timelineOf(result({}, [experiment(0), experiment(1, { phase_seconds: {} })]))).toEqual([
      { number: 0, title: "#0 baseline", seconds: { load: 1, measure: 5 } },
    ]);
  });
});

describe("the table", () => {
  const shown = result({}, [
    experiment(0),
    experiment(1, { eligible: false, slo_reason: "mean TTFT too high" }),
    failed,
  ]);
  const find = (text: string, state?: string) =>
    (shown.experiments ?? []).filter((row) => isWanted(shown, row, text, state)).map((row) => row.number);

  it("finds all words in any order", () => {
    expect(find("ttft")).toEqual([1]);
    expect(find("n_batch=64 high")).toEqual([1]);
    expect(find("memory")).toEqual([3]);
    expect(find("baseline")).toEqual([0]);
    expect(find("")).toEqual([0, 1, 3]);
  });

  it("shows those of a state", () => {
    expect(find("", "met")).toEqual([0]);
    expect(find("", "violated")).toEqual([1]);
    expect(find("", "failed")).toEqual([3]);
  });

  it("always has the first column, and keeps the order", () => {
    const columns = experimentColumns(shown, names);
    expect(shownColumns(columns, ["slo", "score"]).map((column) => column.id)).toEqual(["number", "score", "slo"]);
    expect(shownColumns(columns, undefined).every((column, at) => at === 0 || column.usual)).toBe(true);
  });

  it("reads its order from the address", () => {
    expect(sortOf("-score")).toEqual({ by: "score", descending: true });
    expect(sortOf("slo")).toEqual({ by: "slo", descending: false });
    expect(sortOf(undefined)).toEqual({ by: "number", descending: false });
  });
});
