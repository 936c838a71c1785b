import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it } from "vitest";
import { Standing } from "@/features/results/standing";
import { result } from "./result";

afterEach(cleanup);

describe("what an answer means", () => {
  it("is said of a candidate that was not started again", () => {
    render(<Standing result={result({ verdict: "unconfirmed", gain: null })} />);
    expect(screen.getByText(/was not started again beside the baseline/)).toBeInTheDocument();
  });

  it("is said of one whose starts are too few", () => {
    render(<Standing result={result({ verdict: "unconfirmed" })} />);
    expect(screen.getByText(/started again beside the baseline, but too few times/)).toBeInTheDocument();
    expect(screen.queryByText(/not started again/)).toBeNull();
  });
});
