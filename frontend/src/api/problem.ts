import type { components } from "@/api/schema.gen";

export type ProblemDetails = components["schemas"]["ProblemDetails"];

/** What the service refused, in its own words (application/problem+json). */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly details: ProblemDetails | null;

  constructor(status: number, details: ProblemDetails | null) {
    super(details?.detail ?? details?.title ?? `The service answered ${status}`);
    this.name = "Problem";
    this.status = status;
    this.code = details?.code ?? "unknown";
    this.details = details;
  }
}

/** The service could not be asked at all. */
export class Unreachable extends Error {
  constructor() {
    super("The service does not answer. Is `autotuner serve` still running?");
    this.name = "Unreachable";
  }
}

export function asProblem(status: number, body: unknown): Problem {
  const known = typeof body === "object" && body !== null && "title" in body;
  return new Problem(status, known ? (body as ProblemDetails) : null);
}
