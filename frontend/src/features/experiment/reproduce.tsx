import { useQuery } from "@tanstack/react-query";
import { reproductionQuery } from "@/api/experiment";
import { Problem } from "@/api/problem";
import { QueryStates } from "@/components/states/states";
import { Panel } from "@/components/ui/panel";
import { CodeFile } from "@/features/results/code-file";

/** How its server is started again exactly as it was measured, and under which load. */
export function Reproduce({ id, withScript = true }: { id: number; withScript?: boolean }) {
  const query = useQuery(reproductionQuery(id));
  if (query.error instanceof Problem && query.error.status === 409) {
    return (
      <Panel title="Start it again">
        <p className="text-sm text-ink-soft">It never started a server of its own, so there is nothing to repeat.</p>
      </Panel>
    );
  }
  return (
    <Panel title="Start it again">
      <QueryStates query={query}>
        {(found) => (
          <div className="grid gap-4">
            <p className="text-sm text-ink-soft">
              As start {found.attempt} was made
              {found.cores?.length
                ? `, on ${found.cores.length === 1 ? "core" : "the cores"} ${found.cores.join(", ")}`
                : ""}
              ; measured by {found.client} under {found.load_points.join(", ")}, {found.repeats}{" "}
              {found.repeats === 1 ? "time" : "times"} each. Nothing is started by looking at it.
            </p>
            {withScript ? (
              <CodeFile title="Shell script" name="serve.sh" text={found.script} type="text/x-shellscript" />
            ) : (
              <CodeFile title="Arguments of the server" name="command" text={found.command_line} />
            )}
            {Object.entries(found.files).map(([name, text]) => (
              <CodeFile key={name} title="File that the server reads" name={name} text={text} />
            ))}
          </div>
        )}
      </QueryStates>
    </Panel>
  );
}
