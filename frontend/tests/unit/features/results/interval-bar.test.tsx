import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it } from "vitest";
import { IntervalBar } from "@/features/results/interval-bar";

const interval = {
  title: "#2",
  gain: 0.5,
  low: 0.4,
  high: 0.6,
  significant: true,
  pairs: [0.45, 0.55],
  text: "+50.0 %, 5 pairs",
};

afterEach(cleanup);

describe("the interval", () => {
  it("is told in words", () => {
    render(<IntervalBar intervals={[interval]} better="better throughput" />);
    expect(screen.getByRole("img", { name: "#2: +50.0 %, 5 pairs" })).toBeInTheDocument();
    for (const text of ["+50.0 %", "+40.0 %", "+60.0 %", "baseline", "better throughput →"]) {
      expect(screen.getAllByText(text).length).toBeGreaterThan(0);
    }
  });

  it("shows no ends that are not known", () => {
    render(<IntervalBar intervals={[{ ...interval, low: null, high: null }]} better="better" />);
    expect(screen.queryByText("+40.0 %")).toBeNull();
  });

  it("is nothing without a gain", () => {
    const { container } = render(<IntervalBar intervals={[]} better="better" />);
    expect(container).toBeEmptyDOMElement();
  });
});
