import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Play } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import type { Schema } from "@/api/client";
import { documentSchema, startingDocument, type Wish } from "@/api/documents";
import { keys } from "@/api/keys";
import { createTask, startTask } from "@/api/task-making";
import { PageHead } from "@/components/layout/page-head";
import { Failed, Loading } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { valueAt } from "@/features/task-form/document/path";
import { type Data, read, withValue, write } from "@/features/task-form/document/text";
import { useDraft } from "@/features/task-form/draft";
import { DraftNotice } from "@/features/task-form/draft-notice";
import { ImportZone } from "@/features/task-form/importing/import-dialog";
import type { JsonSchema } from "@/features/task-form/schema/lookup";
import { TaskForm, type TaskFormSearch } from "@/features/task-form/task-form";

interface PageProps {
  search: TaskFormSearch;
  onSearch: (change: TaskFormSearch) => void;
}

/** Makes a task. */
export function NewTask(props: PageProps) {
  const schema = useQuery(documentSchema);
  const start = useQuery({
    queryKey: keys.startingDocument,
    queryFn: () => startingDocument({}),
    gcTime: 0,
    staleTime: 0,
  });
  const failed = schema.error ?? start.error;
  return (
    <>
      {!schema.data || !start.data ? (
        <>
          <PageHead title="New task" />
          {failed ? (
            <Failed error={failed} again={() => void Promise.all([schema.refetch(), start.refetch()])} />
          ) : (
            <Loading lines={8} label="A document to start from is made" />
          )}
        </>
      ) : (
        <NewTaskForm {...props} schema={schema.data as JsonSchema} start={start.data} />
      )}
    </>
  );
}

function NewTaskForm({
  schema,
  start,
  search,
  onSearch,
}: PageProps & { schema: JsonSchema; start: Schema<"StartingPoint"> }) {
  const [first] = useState(() => write(start.document));
  const [why, setWhy] = useState(start.why);
  const draft = useDraft("new", first);
  const navigate = useNavigate();
  const queryClient = useQueryClient();

  const make = useMutation({
    mutationFn: async ({ andStart }: { andStart: boolean }) => {
      const task = await createTask(read(draft.text).data ?? {}, draft.sending());
      if (!andStart) return { task, unstarted: null };
      // The task is made: if it cannot be started now, its page says so and offers it again.
      const unstarted = await startTask(task.id).then(
        () => null,
        (error: Error) => error,
      );
      return { task, unstarted };
    },
    onSuccess: async ({ task, unstarted }) => {
      draft.finish();
      void queryClient.invalidateQueries({ queryKey: keys.taskLists });
      if (unstarted) toast.error(`${task.name} is made but not started: ${unstarted.message}`);
      await navigate({ to: "/tasks/$taskId", params: { taskId: String(task.id) } });
    },
  });

  const begin = useMutation({
    mutationFn: startingDocument,
    onSuccess: (found) => {
      draft.restart(write(found.document));
      setWhy(found.why);
    },
    onError: (error) => toast.error(error.message),
  });
  const untouched = !draft.edited && !draft.restored;

  /** A document that nobody has changed is made anew for another engine or profile; a changed one keeps its values. */
  const choose = (change: { engine?: string; profiles?: string[] }) => {
    const now = wishOf(read(draft.text).data ?? {});
    if (untouched) {
      // The model of an engine that starts here may be none that another one knows.
      begin.mutate({ ...now, ...(change.engine && { model: undefined }), ...change });
      return;
    }
    const profiles = change.profiles?.length ? change.profiles : undefined;
    draft.setText(
      change.engine
        ? withValue(draft.text, ["base_runtime"], change.engine)
        : withValue(draft.text, ["profiles"], profiles),
    );
  };

  return (
    <ImportZone schema={schema} onText={draft.setText}>
      {(importButton) => (
        <>
          <PageHead title="New task" actions={importButton} />
          {draft.restored && <DraftNotice onDiscard={() => draft.restart(first)} />}
          <TaskForm
            draft={draft}
            schema={schema}
            search={search}
            onSearch={onSearch}
            why={draft.edited ? null : why}
            onProfiles={(profiles) => choose({ profiles })}
            onEngine={(engine) => choose({ engine })}
            onLeaveToProfiles={() => begin.mutate(wishOf(read(draft.text).data ?? {}))}
            changing={begin.isPending}
            refused={make.error}
            actions={(possible) => (
              <>
                <Button disabled={!possible} busy={make.isPending} onClick={() => make.mutate({ andStart: false })}>
                  Create
                </Button>
                <Button
                  look="primary"
                  disabled={!possible}
                  busy={make.isPending || begin.isPending}
                  onClick={() => make.mutate({ andStart: true })}
                >
                  <Play size={15} aria-hidden /> Create and start
                </Button>
              </>
            )}
          />
        </>
      )}
    </ImportZone>
  );
}

/** What a document is for, without what it says in detail. */
function wishOf(data: Data): Wish {
  const model = valueAt(data, ["model", "id_or_path"]);
  const engine = data.base_runtime;
  const profiles = Array.isArray(data.profiles) ? data.profiles.map(String) : [];
  return { ...(typeof model === "string" && { model }), ...(typeof engine === "string" && { engine }), profiles };
}
