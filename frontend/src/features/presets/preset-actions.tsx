import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Copy, Download, SquarePen, Trash2 } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { keys } from "@/api/keys";
import { deletePreset, duplicatePreset, type Preset, presetFile } from "@/api/presets";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { NameDialog } from "@/features/task-actions/name-dialog";
import { tellFailure } from "@/features/task-actions/use-task-action";

interface PresetActionsProps {
  preset: Preset;
  /** How many tasks used it; undefined: not known yet. */
  usedBy: number | undefined;
  onEdit: () => void;
}

/** What can be done with a preset. One of the system is only copied and taken away. */
export function PresetActions({ preset, usedBy, onEdit }: PresetActionsProps) {
  const [asked, setAsked] = useState<"duplicate" | "delete" | null>(null);
  const queries = useQueryClient();
  const navigate = useNavigate();
  const copy = useMutation({
    mutationFn: (name: string) => duplicatePreset(preset.id, name),
    onSuccess: async ({ id, name }) => {
      toast.success(`${name} was made`);
      setAsked(null);
      await queries.invalidateQueries({ queryKey: keys.presets });
      void navigate({ to: "/presets/$presetId", params: { presetId: String(id) } });
    },
  });
  const remove = useMutation({
    mutationFn: () => deletePreset(preset.id),
    onSuccess: async () => {
      toast.success(`${preset.name} was deleted`);
      await navigate({ to: "/presets" });
      await queries.invalidateQueries({ queryKey: keys.presets });
    },
    onError: tellFailure,
    onSettled: () => setAsked(null),
  });
  return (
    <>
      {!preset.is_system && (
        <Button look="primary" onClick={onEdit}>
          <SquarePen size={16} aria-hidden /> Edit
        </Button>
      )}
      <Button look={preset.is_system ? "primary" : "secondary"} onClick={() => setAsked("duplicate")}>
        <Copy size={16} aria-hidden /> Duplicate
      </Button>
      <Button asChild>
        <a href={presetFile(preset.id)} download>
          <Download size={16} aria-hidden /> Export
        </a>
      </Button>
      {!preset.is_system && (
        <Button look="danger" onClick={() => setAsked("delete")}>
          <Trash2 size={16} aria-hidden /> Delete
        </Button>
      )}
      {asked === "duplicate" && (
        <NameDialog
          title="Duplicate the preset"
          description="A copy that can be changed."
          name={`${preset.name} (copy)`}
          confirm="Duplicate"
          busy={copy.isPending}
          error={copy.error}
          onConfirm={(name) => copy.mutate(name)}
          onClose={() => {
            setAsked(null);
            copy.reset();
          }}
        />
      )}
      <Confirm
        open={asked === "delete"}
        title={`Delete ${preset.name}?`}
        verb="Delete the preset"
        danger
        busy={remove.isPending}
        onConfirm={() => remove.mutate()}
        onClose={() => setAsked(null)}
      >
        <p>
          It goes with its {preset.revision} {preset.revision === 1 ? "revision" : "revisions"}. Export it first if you
          may need it again.
        </p>
        <p>
          {usedBy === undefined || usedBy === 0
            ? "Tasks that used it keep what it gave them."
            : `${usedBy} ${usedBy === 1 ? "task" : "tasks"} used it, and ${usedBy === 1 ? "keeps" : "keep"} what it gave.`}
        </p>
      </Confirm>
    </>
  );
}
