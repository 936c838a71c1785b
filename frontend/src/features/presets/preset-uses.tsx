import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { presetAnalyticsQuery } from "@/api/presets";
import { QueryStates } from "@/components/states/states";
import { Panel } from "@/components/ui/panel";
import { Fact, Facts } from "@/features/task/facts";
import { figure } from "@/format/figures";
import { percent } from "@/format/units";

const SHOWN = 20;

/** Which tasks used a preset, and what came of it. */
export function PresetUses({ id }: { id: number }) {
  const analytics = useQuery(presetAnalyticsQuery(String(id)));
  return (
    <Panel title="Used by">
      <QueryStates query={analytics}>
        {({ tasks, experiments, succeeded, failed, success_rate, results, task_names }) =>
          tasks === 0 ? (
            <p className="text-sm text-ink-soft">No task has used it yet.</p>
          ) : (
            <div className="grid gap-4">
              <Facts>
                <Fact name="Tasks">
                  <span className="figures">{figure(tasks)}</span>
                </Fact>
                <Fact name="Experiments with its values">
                  <span className="figures">
                    {figure(experiments)}: {figure(succeeded)} measured, {figure(failed)} failed
                  </span>
                </Fact>
                <Fact name="Measured, of those that ended">
                  {success_rate === null ? null : <span className="figures">{percent(success_rate)}</span>}
                </Fact>
                {results.map(({ objective, unit, best, median, experiments: scored }) => (
                  <Fact key={`${objective} ${unit}`} name={objective.replaceAll("_", " ")}>
                    <span className="figures">
                      best {figure(best)} {unit}, median {figure(median)} {unit}, of {figure(scored)}
                    </span>
                  </Fact>
                ))}
              </Facts>
              <ul className="flex flex-wrap gap-x-4 gap-y-1 text-sm">
                {task_names.slice(0, SHOWN).map((name) => (
                  <li key={name}>
                    <Link to="/tasks" search={{ search: name }} className="text-accent underline underline-offset-2">
                      {name}
                    </Link>
                  </li>
                ))}
                {task_names.length > SHOWN && (
                  <li className="text-ink-soft">and {figure(task_names.length - SHOWN)} more</li>
                )}
              </ul>
            </div>
          )
        }
      </QueryStates>
    </Panel>
  );
}
