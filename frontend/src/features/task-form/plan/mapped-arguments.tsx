import { Badge } from "@/components/ui/badge";
import { shown } from "@/features/task-form/document/values";
import { sentence } from "@/features/task-form/fields/document-field";
import { flagsOf, parted, settingName } from "@/features/task-form/plan/arguments";
import { counted, experiments } from "@/features/task-form/plan/headline";
import type { PlanState } from "@/features/task-form/plan/use-plan";
import { figure } from "@/format/figures";

/** What the first configurations are started with, and what is left out and why. */
export function MappedArguments({ state }: { state: PlanState }) {
  const { plan } = state;
  if (!plan) return null;
  const { counts } = plan;
  const excluded = Object.entries(counts.excluded);
  const { common, own } = parted(plan.commands.map((one) => flagsOf(one.command.argv)));
  const left = excluded.reduce((sum, [, count]) => sum + count, 0);
  return (
    <section aria-label={`Mapped arguments for ${plan.engine}`} className="grid gap-2 rounded-md bg-sunken px-3 py-2.5">
      <header className="flex flex-wrap items-baseline gap-x-2 gap-y-0.5">
        <h3>Mapped arguments for {plan.engine}</h3>
        <p className="figures text-xs text-ink-soft">
          {counts.valid != null && `(${counts.exact ? "" : "about "}${counted(counts.valid, "valid combination")})`}
          {left > 0 && ` (${figure(left)} invalid excluded)`}
          {` creates ${counted(experiments(plan), "experiment")}`}
        </p>
      </header>
      {excluded.length > 0 && (
        <ul className="grid gap-0.5 text-xs text-warn">
          {excluded.map(([reason, count]) => (
            <li key={reason}>
              <span className="figures">{figure(count)}</span> × {sentence(reason)}
            </li>
          ))}
        </ul>
      )}
      {common.length > 0 && (
        <p className="text-xs text-ink-soft">
          All: <code className="font-mono break-all">{common.join(" ")}</code>
        </p>
      )}
      <ol className="grid gap-1.5">
        {plan.commands.map((command, index) => (
          <li key={JSON.stringify(command.parameters) + command.label} className="grid gap-0.5 text-xs">
            <span className="flex flex-wrap items-center gap-1.5">
              <span className="figures font-mono">
                {Object.entries(command.parameters)
                  .filter(([, value]) => value !== null)
                  .map(([name, value]) => `${settingName(name)} ${shown(value)}`)
                  .join(" · ") || command.label}
              </span>
              {command.label !== "one of those searched" && <Badge>{command.label}</Badge>}
              {command.layout && <Badge>{command.layout}</Badge>}
            </span>
            <code className="rounded bg-surface px-2 py-1 font-mono break-words">
              {own[index]?.join(" ") || "nothing more"}
            </code>
          </li>
        ))}
      </ol>
    </section>
  );
}
