import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Schema } from "@/api/client";
import { type DocumentData, planOf } from "@/api/documents";
import { Problem } from "@/api/problem";
import { type Fault, faultsOf } from "@/features/task-form/task-form-state";

/** What the service makes of the document as it stands. */
export interface PlanState {
  /** The newest plan that there was. */
  plan: Schema<"PlanSummary"> | null;
  /** It is not of what is written now: that is asked, or wrong. */
  stale: boolean;
  /** A question is on its way, or about to be. */
  asking: boolean;
  /** What is wrong with the document. */
  faults: readonly Fault[];
  /** The service could not be asked. */
  error: Error | null;
}

const PAUSE_MS = 500;

/** Asks for the plan once one has stopped writing. `document` null: there is nothing to ask for. */
export function usePlan(document: DocumentData | null): PlanState {
  const settled = useSettled(document, PAUSE_MS);
  const query = useQuery({ ...planOf(settled ?? {}), enabled: settled !== null, placeholderData: keepPreviousData });
  const wrong = query.error instanceof Problem && query.error.status < 500 ? query.error : null;
  const waiting = settled !== document;
  return {
    plan: query.data ?? null,
    stale: query.isPlaceholderData || wrong !== null || waiting || document === null,
    asking: query.isFetching || (waiting && document !== null),
    faults: wrong ? faultsOf(wrong.details) : NONE,
    error: wrong ? null : query.error,
  };
}

const NONE: readonly Fault[] = [];

/** A value once it has not changed for so long. */
export function useSettled<T>(value: T, pauseMs: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    if (settled === value) return;
    const timer = setTimeout(() => setSettled(value), pauseMs);
    return () => clearTimeout(timer);
  }, [value, settled, pauseMs]);
  return settled;
}
