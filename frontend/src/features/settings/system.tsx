import { useQuery } from "@tanstack/react-query";
import { RefreshCw } from "lucide-react";
import { type Health, healthQuery, infoQuery } from "@/api/system";
import { QueryStates } from "@/components/states/states";
import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { moment } from "@/format/moments";

const STATES: Record<Health["status"], [string, Tone]> = {
  ok: ["Works", "good"],
  degraded: ["Degraded", "warn"],
  down: ["Down", "bad"],
};

/** What was looked at, and what was found. */
export function SystemHealth() {
  const health = useQuery(healthQuery);
  return (
    <Panel
      title="Health"
      actions={
        <Button size="small" busy={health.isFetching} onClick={() => void health.refetch()}>
          <RefreshCw size={14} aria-hidden /> Check again
        </Button>
      }
    >
      <QueryStates query={health}>
        {({ checks }) => (
          <dl className="grid gap-2.5 text-sm sm:grid-cols-[8rem_6rem_1fr] sm:gap-x-4">
            {Object.entries(checks).map(([name, check]) => (
              <div key={name} className="grid grid-cols-subgrid sm:col-span-3">
                <dt className="font-medium capitalize">{name}</dt>
                <dd>
                  <Badge tone={STATES[check.status][1]}>{STATES[check.status][0]}</Badge>
                </dd>
                <dd className="text-ink-soft">{check.reason}</dd>
              </div>
            ))}
          </dl>
        )}
      </QueryStates>
    </Panel>
  );
}

/** What runs here. */
export function SystemInfo() {
  const info = useQuery(infoQuery);
  return (
    <Panel title="System">
      <QueryStates query={info}>
        {(found) => {
          const facts = [
            ["Version", found.version],
            ["Host", found.host],
            ["Python", found.python],
            ["Database", found.database],
            ["Schema", found.db_schema],
            ["Serves since", moment(found.started_at)],
          ] as const;
          return (
            <dl className="grid gap-x-4 gap-y-1.5 text-sm sm:grid-cols-[8rem_1fr]">
              {facts.map(([name, value]) => (
                <div key={name} className="grid grid-cols-subgrid sm:col-span-2">
                  <dt className="text-ink-soft">{name}</dt>
                  <dd className="figures break-all">{value}</dd>
                </div>
              ))}
            </dl>
          );
        }}
      </QueryStates>
    </Panel>
  );
}
