import { useQuery } from "@tanstack/react-query";
import { type TaskView, taskConfigurationQuery } from "@/api/tasks";
import { Empty, QueryStates } from "@/components/states/states";
import { Segments } from "@/components/ui/segments";
import { ArchivedRuns } from "@/features/task-configuration/archived-runs";
import { DocumentView } from "@/features/task-configuration/document-view";
import { PlanView } from "@/features/task-configuration/plan-view";
import type { ConfigurationChanges, ConfigurationSearch } from "@/features/task-configuration/search";
import { Sections } from "@/features/task-configuration/sections";

interface ConfigurationViewProps {
  task: TaskView;
  search: ConfigurationSearch;
  onSearch: (changes: ConfigurationChanges) => void;
}

/** What a task is to do, and where each value of that comes from. */
export function ConfigurationView({ task, search, onSearch }: ConfigurationViewProps) {
  const { view = "values", defaults = false, form } = search;
  return (
    <div className="grid gap-5">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <Segments
          label="Part of the configuration"
          options={[
            { value: "values", label: "Values" },
            { value: "plan", label: "Plan" },
            { value: "document", label: "Document" },
          ]}
          value={view}
          onChange={(next) => onSearch({ view: next })}
        />
        {view === "values" && (
          <label className="flex items-center gap-2 text-sm">
            <input
              type="checkbox"
              className="size-4 accent-accent"
              checked={defaults}
              onChange={({ target }) => onSearch({ defaults: target.checked })}
            />
            Defaults too
          </label>
        )}
      </div>
      {view === "values" && <Values taskId={task.id} defaults={defaults} />}
      {view === "plan" && <PlanView taskId={task.id} />}
      {view === "document" && <DocumentView taskId={task.id} form={form} onForm={(next) => onSearch({ form: next })} />}
      {task.run > 1 && !task.run_of && <ArchivedRuns taskId={task.id} />}
    </div>
  );
}

function Values({ taskId, defaults }: { taskId: number; defaults: boolean }) {
  const configuration = useQuery(taskConfigurationQuery(taskId));
  return (
    <QueryStates query={configuration} lines={8}>
      {({ sections, layers, notes }) => (
        <div className="grid gap-5">
          {layers.length > 0 && (
            <p className="text-sm">
              <span className="text-ink-soft">Merged, the weakest first: </span>
              {[...layers, "document"].join(" → ")}
            </p>
          )}
          {notes.length > 0 && (
            <ul className="grid gap-0.5 rounded-md border border-line bg-sunken px-4 py-2.5 text-sm">
              {notes.map((note) => (
                <li key={note}>{note}</li>
              ))}
            </ul>
          )}
          {sections.length === 0 ? (
            <Empty title="The document says nothing" />
          ) : (
            <Sections sections={sections} defaults={defaults} />
          )}
        </div>
      )}
    </QueryStates>
  );
}
