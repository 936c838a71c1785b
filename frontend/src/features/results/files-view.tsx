import { useQuery } from "@tanstack/react-query";
import { deployQuery, reportAddress, type TaskResult } from "@/api/results";
import { Empty, QueryStates } from "@/components/states/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Field, Select } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { Reproduce } from "@/features/experiment/reproduce";
import { CodeFile } from "@/features/results/code-file";
import { titleOf } from "@/features/results/shaping";
import { useResultsSearch } from "@/features/results/use-results-search";

const KINDS: Record<string, string> = {
  shell: "Shell script",
  systemd: "systemd unit",
  engine_config: "Configuration of the engine",
  docker_compose: "Docker Compose",
  kubernetes: "Kubernetes",
};

/** What is taken away: reports, and the files that start the winner. */
export function FilesView({ result }: { result: TaskResult }) {
  const [search] = useResultsSearch();
  const number = search.of ?? result.winner?.number ?? result.nearest?.number;
  const chosen = result.experiments?.find((experiment) => experiment.number === number);
  return (
    <div className="grid gap-5">
      <Reports result={result} />
      <Deployment result={result} />
      {chosen && <Reproduce id={chosen.id} withScript={false} />}
    </div>
  );
}

function Reports({ result }: { result: TaskResult }) {
  const kinds = [
    ["html", "Report (HTML)", "One page that needs no network, with all plots; its print style makes a PDF."],
    ["csv", "Experiments (CSV)", "A row per experiment with parameters and metrics."],
    ["json", "Everything (JSON)", "The whole result, as these pages show it."],
  ] as const;
  return (
    <Panel title="Reports" actions={result.predicted && <Badge tone="warn">predicted</Badge>}>
      <ul className="grid gap-3">
        {kinds.map(([format, label, what]) => (
          <li key={format} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
            <span className="text-sm">
              <span className="font-medium">{label}</span>
              <span className="block text-ink-soft">{what}</span>
            </span>
            <span className="flex gap-2">
              {format === "html" && (
                <Button asChild size="small">
                  <a href={reportAddress(result.task_id, format, false)} target="_blank" rel="noreferrer">
                    Open
                  </a>
                </Button>
              )}
              <Button asChild size="small">
                <a href={reportAddress(result.task_id, format, true)} download>
                  Download
                </a>
              </Button>
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Deployment({ result }: { result: TaskResult }) {
  const [search, change] = useResultsSearch();
  const startable = (result.experiments ?? []).filter((experiment) => (experiment.argv ?? []).length > 0);
  const of = search.of ?? result.winner?.number ?? result.nearest?.number;
  const query = useQuery({
    ...deployQuery(result.task_id, of === undefined ? {} : { experiment: of }),
    enabled: of !== undefined,
  });
  if (of === undefined) {
    return (
      <Panel title="Start it">
        <Empty title="There is nothing to start yet">Files are there as soon as one experiment has figures.</Empty>
      </Panel>
    );
  }
  return (
    <Panel title="Start it as it was measured" actions={result.predicted && <Badge tone="warn">predicted</Badge>}>
      <Field label="Configuration" className="mb-4 max-w-md">
        {(tied) => (
          <Select {...tied} value={of} onChange={(event) => change({ of: Number(event.target.value) })}>
            {startable.map((experiment) => (
              <option key={experiment.number} value={experiment.number}>
                {experiment.number === (result.winner ?? result.nearest)?.number ? `${result.words.chosen} ` : ""}
                {titleOf(result, experiment.number)}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <QueryStates query={query}>
        {(found) => (
          <div className="grid gap-5">
            {found.predicted && (
              <p className="text-sm text-warn">It was chosen by predictions; no server of it was started.</p>
            )}
            {found.files.map((file) => (
              <CodeFile
                key={file.name}
                title={KINDS[file.kind] ?? file.kind}
                name={file.name}
                text={file.text}
                type={file.media_type}
              />
            ))}
            {(found.not_available ?? []).length > 0 && (
              <details className="text-sm">
                <summary className="cursor-pointer text-ink-soft">Kinds of files that cannot be had, and why</summary>
                <ul className="mt-1 grid gap-0.5 text-ink-soft">
                  {(found.not_available ?? []).map((one) => (
                    <li key={one.kind}>
                      {KINDS[one.kind] ?? one.kind}: {one.why}.
                    </li>
                  ))}
                </ul>
              </details>
            )}
          </div>
        )}
      </QueryStates>
    </Panel>
  );
}
