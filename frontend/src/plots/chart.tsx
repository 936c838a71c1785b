import { useEffect, useId, useRef, useState } from "react";
import { useIsDark } from "@/components/layout/theme";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { cx } from "@/components/ui/class-names";
import { csv, json } from "@/format/csv";
import { fileName, save, saveText } from "@/format/saving";
import type { ECharts } from "@/plots/canvas";
import type { Plot } from "@/plots/plot";
import { PlotTable } from "@/plots/plot-table";
import { SaveMenu } from "@/plots/save-menu";
import { shownTheme } from "@/plots/theme";

interface ChartProps {
  plot: Plot;
  /** Figures are predictions: said beside the title. */
  predicted?: boolean;
  /** First part of the names of saved files. */
  file: string;
  /** Something with a number was chosen. */
  onPick?: (number: number) => void;
  /** Numbers of what is selected on the axes of parallel coordinates; empty: nothing is. */
  onBrush?: (places: readonly number[]) => void;
  className?: string;
}

type State = "coming" | "drawn" | "failed";

/** A plot with its title, its table, and what it can be saved as. */
export function Chart({ plot, predicted, file, onPick, onBrush, className }: ChartProps) {
  const dark = useIsDark();
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const [state, setState] = useState<State>("coming");
  const [asTable, setAsTable] = useState(false);
  const title = useId();
  const picked = useRef(onPick);
  const brushed = useRef(onBrush);
  picked.current = onPick;
  brushed.current = onBrush;

  useEffect(() => {
    const element = place.current;
    if (!element || asTable) return;
    let gone = false;
    let shown: ECharts | null = null;
    const sizes = new ResizeObserver(() => shown?.resize());
    import("@/plots/canvas").then(
      ({ drawn }) => {
        if (gone) return;
        shown = drawn(element);
        chart.current = shown;
        shown.on("click", (event) => {
          const number = numberOf(event.data);
          if (number !== null) picked.current?.(number);
        });
        shown.on("axisareaselected", () => brushed.current?.(selected(shown)));
        sizes.observe(element);
        setState("drawn");
      },
      () => !gone && setState("failed"),
    );
    return () => {
      gone = true;
      sizes.disconnect();
      shown?.dispose();
      chart.current = null;
      setState("coming");
    };
  }, [asTable]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours change with dark, which shownTheme reads
  useEffect(() => {
    if (state === "drawn") chart.current?.setOption(plot.option(shownTheme()), { notMerge: true });
  }, [plot, dark, state]);

  const name = fileName(file, plot.name);
  const picture = async (kind: "png" | "svg") => {
    const option = { ...plot.option(shownTheme()), backgroundColor: shownTheme().surface };
    const { asSvg } = await import("@/plots/canvas");
    const svg = asSvg(option, place.current?.clientWidth || 900, plot.height);
    if (kind === "svg") saveText(`${name}.svg`, svg, "image/svg+xml");
    else if (chart.current) {
      // Not by a data: address, which the page's policy lets nobody fetch.
      const canvas = chart.current.renderToCanvas({ pixelRatio: 2, backgroundColor: shownTheme().surface });
      canvas.toBlob((content) => content && save(`${name}.png`, content));
    }
  };

  return (
    <figure aria-labelledby={title} className={cx("min-w-0", className)}>
      <div className="mb-1 flex items-start justify-between gap-x-3 gap-y-1 max-sm:flex-wrap">
        <figcaption className="min-w-0">
          <h3 id={title} className="flex flex-wrap items-center gap-2">
            {plot.title}
            {predicted && <Badge tone="warn">predicted</Badge>}
          </h3>
          <p className="text-[13px] text-ink-soft">{plot.summary}</p>
        </figcaption>
        <div className="flex shrink-0 gap-1">
          <Button look="quiet" size="small" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            {asTable ? "As a plot" : "As a table"}
          </Button>
          <SaveMenu
            label={`Save ${plot.title}`}
            choices={[
              ...(asTable
                ? []
                : [
                    { label: "Picture (PNG)", act: () => void picture("png") },
                    { label: "Picture (SVG)", act: () => void picture("svg") },
                  ]),
              { label: "Data (CSV)", act: () => saveText(`${name}.csv`, csv(plot.table), "text/csv") },
              { label: "Data (JSON)", act: () => saveText(`${name}.json`, json(plot.table), "application/json") },
            ]}
          />
        </div>
      </div>
      {asTable ? (
        <PlotTable table={plot.table} title={plot.title} />
      ) : (
        <div className="relative" style={{ height: plot.height }}>
          <div
            ref={place}
            role="img"
            aria-label={`${plot.title}. ${plot.summary}. The same figures stand in the table.`}
            className="absolute inset-0"
          />
          {state === "coming" && <div className="absolute inset-0 animate-pulse rounded bg-sunken" />}
          {state === "failed" && (
            <p role="alert" className="absolute inset-0 grid place-items-center rounded bg-sunken px-4 text-sm">
              The plots could not be loaded. The figures stand in the table.
            </p>
          )}
        </div>
      )}
    </figure>
  );
}

function numberOf(data: unknown): number | null {
  if (typeof data !== "object" || data === null || !("number" in data)) return null;
  return typeof data.number === "number" ? data.number : null;
}

/** Places of the lines that every selected interval holds; empty where no interval is selected. */
function selected(chart: ECharts | null): readonly number[] {
  // getModel is not part of the types, but the documented way to ask which lines are active.
  const model = (chart as unknown as { getModel?: () => ParallelModel } | null)?.getModel?.();
  const series = model?.getSeries()[0];
  return series?.getRawIndicesByActiveState?.("active") ?? [];
}

interface ParallelModel {
  getSeries: () => { getRawIndicesByActiveState?: (state: "active") => number[] }[];
}
