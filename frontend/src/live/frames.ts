/** What the stream of all tasks says; the guide to live events describes it. */
export interface Frame {
  type: string;
  taskId: number | null;
  experimentId: number | null;
  /** Where the stream goes on after this frame; opaque. */
  cursor: string | null;
  message: string | null;
  data: Record<string, unknown>;
}

/** A frame of its JSON; null for what is none. */
export function parseFrame(text: unknown): Frame | null {
  if (typeof text !== "string") return null;
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRecord(raw) || typeof raw.type !== "string") return null;
  return {
    type: raw.type,
    taskId: wholeNumber(raw.task_id),
    experimentId: wholeNumber(raw.experiment_id),
    cursor: typeof raw.cursor === "string" ? raw.cursor : null,
    message: typeof raw.message === "string" ? raw.message : null,
    data: isRecord(raw.data) ? raw.data : {},
  };
}

/** A finite number, else null. */
export function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** A text, else null. */
export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function wholeNumber(value: unknown): number | null {
  return Number.isSafeInteger(value) ? (value as number) : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
