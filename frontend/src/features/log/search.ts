/** What the address says of the log. */
export interface LogSearch {
  /** The server start that is shown; else all, one after the other. */
  stream?: string;
  /** What is looked for. */
  words?: string;
  /** Long lines are broken. */
  wrap?: boolean;
}

export type LogChanges = { [Key in keyof LogSearch]?: LogSearch[Key] | undefined };

export function logSearch(given: Record<string, unknown>): LogSearch {
  const { stream, words, wrap } = given;
  return {
    ...(typeof stream === "string" && /^experiment-\d{4,}\/attempt-\d{2,}$/.test(stream) && { stream }),
    ...((typeof words === "string" || typeof words === "number") &&
      words !== "" && { words: String(words).slice(0, 200) }),
    ...(wrap === true && { wrap }),
  };
}

/** What a server start is called for people. */
export function streamName(stream: string): string {
  const found = /^experiment-(\d+)\/attempt-(\d+)$/.exec(stream);
  if (!found) return stream;
  const experiment = Number(found[1]);
  return `${experiment === 0 ? "Baseline" : `Experiment ${experiment}`}, start ${Number(found[2])}`;
}

/** The name of a server start's log, as the service calls it. */
export function streamFor(experiment: number, attempt: number): string {
  return `experiment-${String(experiment).padStart(4, "0")}/attempt-${String(attempt).padStart(2, "0")}`;
}
