import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { toast } from "sonner";
import { keys } from "@/api/keys";
import { type Preset, type PresetRevision, presetHistoryQuery, rollbackPreset } from "@/api/presets";
import { QueryStates } from "@/components/states/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Panel } from "@/components/ui/panel";
import { tellFailure } from "@/features/task-actions/use-task-action";
import { valueText } from "@/features/task-configuration/provenance";
import { moment } from "@/format/moments";

/** All revisions, the newest first, with what each changed; an own preset can go back to one. */
export function PresetHistory({ preset }: { preset: Preset }) {
  const history = useQuery(presetHistoryQuery(String(preset.id)));
  const [back, setBack] = useState<number | null>(null);
  const queries = useQueryClient();
  const roll = useMutation({
    mutationFn: (revision: number) => rollbackPreset(preset.id, revision),
    onSuccess: ({ revision }) => {
      toast.success(`It is what it was, as revision ${revision}`);
      return queries.invalidateQueries({ queryKey: keys.presets });
    },
    onError: tellFailure,
    onSettled: () => setBack(null),
  });
  return (
    <Panel title="History" flush>
      <QueryStates query={history}>
        {({ items }) => (
          <ol className="divide-y divide-line border-t border-line">
            {items.toReversed().map((revision) => (
              <Revision
                key={revision.number}
                revision={revision}
                current={revision.number === preset.revision}
                onBack={preset.is_system ? null : () => setBack(revision.number)}
              />
            ))}
          </ol>
        )}
      </QueryStates>
      <Confirm
        open={back !== null}
        title={`Go back to revision ${back}?`}
        verb="Go back"
        busy={roll.isPending}
        onConfirm={() => back !== null && roll.mutate(back)}
        onClose={() => setBack(null)}
      >
        <p>The preset says what it said then, as revision {preset.revision + 1}. Nothing of its history is lost.</p>
        <p>Tasks keep what they were made with.</p>
      </Confirm>
    </Panel>
  );
}

interface RevisionProps {
  revision: PresetRevision;
  current: boolean;
  /** Null: it cannot go back. */
  onBack: (() => void) | null;
}

function Revision({ revision, current, onBack }: RevisionProps) {
  const { number, reason, created_at, changes } = revision;
  return (
    <li className="grid gap-1.5 px-4 py-2.5 text-sm">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="figures font-medium">Revision {number}</span>
        <span className="text-ink-soft">{reason.replaceAll("_", " ")}</span>
        <time dateTime={created_at} className="figures text-ink-soft">
          {moment(created_at)}
        </time>
        {current ? (
          <Badge tone="accent">Now</Badge>
        ) : (
          onBack && (
            <Button size="small" className="ml-auto" onClick={onBack}>
              Go back to it
            </Button>
          )
        )}
      </div>
      {changes.length > 0 && (
        <ul className="grid gap-0.5 text-[13px]">
          {changes.map(({ place, was, now }) => (
            <li key={place} className="break-words">
              <span className="font-mono">{place}</span>{" "}
              {was !== null && <del className="figures font-mono text-bad">{valueText(was)}</del>}
              {was !== null && now !== null && " → "}
              {now !== null ? (
                <ins className="figures font-mono text-good no-underline">{valueText(now)}</ins>
              ) : (
                <span className="text-ink-soft"> taken away</span>
              )}
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}
