import type { Schema } from "@/api/client";

/** Phases of a server start, in their order, as what goes on. */
const PHASES: Record<Schema<"Phase">, { name: string; doing: string }> = {
  queue: { name: "Queue", doing: "waits for a free place or device" },
  deploy: { name: "Start", doing: "starts the server" },
  load: { name: "Load", doing: "loads the model" },
  quality: { name: "Answers", doing: "asks the quality guard's prompts" },
  warm_up: { name: "Warm-up", doing: "warms up" },
  measure: { name: "Measure", doing: "measures" },
  teardown: { name: "End", doing: "ends the server" },
};

export const PHASE_ORDER = Object.keys(PHASES) as Schema<"Phase">[];

const known = (phase: string): { name: string; doing: string } | undefined =>
  PHASES[phase as Schema<"Phase">] as { name: string; doing: string } | undefined;

/** What a phase is called; one that this version does not know is called as it is. */
export const phaseName = (phase: string): string => known(phase)?.name ?? phase;

/** What a server start does in a phase. */
export const phaseDoing = (phase: string): string => known(phase)?.doing ?? phase;

const STAGES: Record<string, string> = {
  baseline: "Measures the baseline",
  references: "Measures the references",
  search: "Searches",
  confirm: "Confirms the finalists against the baseline",
};

/** What a run does as a whole. */
export const stageDoing = (stage: string): string => STAGES[stage] ?? stage;

const REASONS: Record<string, string> = {
  first: "first start",
  retry: "tried again",
  resume: "gone on with",
  confirm: "confirmation",
  verify: "verification",
  reproduce: "repeated",
};

/** Why a server was started. */
export const reasonName = (reason: string): string => REASONS[reason] ?? reason;

const ORIGINS: Record<Schema<"ExperimentOrigin">, string> = {
  baseline: "Baseline",
  reference: "Reference",
  search: "Search",
};

/** Who asked for an experiment. */
export const originName = (origin: Schema<"ExperimentOrigin">): string => ORIGINS[origin];
