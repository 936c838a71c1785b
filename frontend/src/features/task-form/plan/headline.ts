import type { Schema } from "@/api/client";
import { duration, figure } from "@/format/figures";

type Plan = Schema<"PlanSummary">;

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${figure(count)} ${count === 1 ? one : many}`;

/** Two figures as one when they are the same. */
export const between = (least: number, most: number, text: (value: number) => string): string =>
  text(least) === text(most) ? text(least) : `${text(least)} to ${text(most)}`;

/** Configurations that are measured apart from confirmation. */
export const experiments = (plan: Plan): number =>
  plan.runs.searched + plan.runs.references.length + (plan.runs.baseline ? 1 : 0);

export const timeOf = (plan: Plan): string => between(plan.estimate_s, plan.most_s, duration);

export const gpusOf = (plan: Plan): string | null =>
  plan.gpus ? between(plan.gpus[0], plan.gpus[1], (value) => String(value)) : null;

/** The plan in a line. */
export function headline(plan: Plan): string {
  const gpus = plan.gpus?.[1];
  const parts = [
    counted(experiments(plan), "experiment"),
    plan.predicted ? "predicted, takes seconds" : `about ${timeOf(plan)}`,
    gpus ? counted(gpus, "GPU") : null,
  ];
  return parts.filter(Boolean).join(" · ");
}
