import type { TaskFormSearch } from "@/features/task-form/task-form";

const VIEWS = ["form", "yaml", "plan"] as const;
const FORMS = ["flat", "structured"] as const;

/** What the address says of the page; what it does not know is left out. */
export function taskFormSearch(given: Record<string, unknown>): TaskFormSearch {
  const view = VIEWS.find((one) => one === given.view);
  const form = FORMS.find((one) => one === given.form);
  return { ...(view && { view }), ...(form && { form }) };
}
