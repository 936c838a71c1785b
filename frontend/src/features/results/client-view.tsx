import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { artefactAddress, artefactsQuery } from "@/api/experiment";
import { reportAddress, type TaskResult } from "@/api/results";
import { QueryStates } from "@/components/states/states";
import { Field, Select } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { chosenOf, titleOf } from "@/features/results/shaping";
import { ShutIn } from "@/features/results/shut-in";
import { useResultsSearch } from "@/features/results/use-results-search";

/** Pages that others made: the report of this program, and what the benchmark client wrote itself. */
export function ClientView({ result }: { result: TaskResult }) {
  const [search, change] = useResultsSearch();
  const number = search.of ?? chosenOf(result)?.experiment.number ?? result.experiments?.[0]?.number;
  const experiment = result.experiments?.find((one) => one.number === number);
  return (
    <div className="grid gap-5">
      {experiment && (
        <Panel title="The benchmark client's own report">
          <Field label="Experiment" className="mb-3 max-w-md">
            {(tied) => (
              <Select
                {...tied}
                value={experiment.number}
                onChange={(event) => change({ of: Number(event.target.value) })}
              >
                {(result.experiments ?? []).map((one) => (
                  <option key={one.number} value={one.number}>
                    {titleOf(result, one.number)}
                  </option>
                ))}
              </Select>
            )}
          </Field>
          <ClientReport id={experiment.id} />
        </Panel>
      )}
      <Panel title="Report of the task">
        <ShutIn title={`Report of ${result.task_name}`} address={reportAddress(result.task_id, "html", false)} />
      </Panel>
    </div>
  );
}

/** The HTML files among what an experiment has left, one of them in a frame. */
export function ClientReport({ id }: { id: number }) {
  const query = useQuery(artefactsQuery(id));
  const [path, setPath] = useState<string>();
  return (
    <QueryStates query={query} lines={2}>
      {(page) => {
        const files = page.items.filter((file) => /\.html?$/i.test(file.path));
        const shown = files.find((file) => file.path === path) ?? files[0];
        if (!shown) {
          return (
            <p className="text-sm text-ink-soft">
              The client of this task wrote no page of its own. Some do, when they are chosen as{" "}
              <code>benchmark_engine</code>.
            </p>
          );
        }
        return (
          <>
            {files.length > 1 && (
              <Field label="File" className="mb-3 max-w-md">
                {(tied) => (
                  <Select {...tied} value={shown.path} onChange={(event) => setPath(event.target.value)}>
                    {files.map((file) => (
                      <option key={file.path}>{file.path}</option>
                    ))}
                  </Select>
                )}
              </Field>
            )}
            <ShutIn title={shown.path} address={artefactAddress(id, shown.path, true)} />
          </>
        );
      }}
    </QueryStates>
  );
}
