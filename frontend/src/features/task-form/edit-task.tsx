import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { Schema } from "@/api/client";
import { documentSchema } from "@/api/documents";
import { keys } from "@/api/keys";
import { editableTask, replaceDocument } from "@/api/task-making";
import { PageHead } from "@/components/layout/page-head";
import { Failed, Loading } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { read, withValue, write } from "@/features/task-form/document/text";
import { useDraft } from "@/features/task-form/draft";
import { DraftNotice } from "@/features/task-form/draft-notice";
import { ImportZone } from "@/features/task-form/importing/import-dialog";
import { type JsonSchema, withoutDefaults } from "@/features/task-form/schema/lookup";
import { TaskForm, type TaskFormSearch } from "@/features/task-form/task-form";

interface PageProps {
  taskId: number;
  search: TaskFormSearch;
  onSearch: (change: TaskFormSearch) => void;
}

/** Gives a task another document. */
export function EditTask(props: PageProps) {
  const schema = useQuery(documentSchema);
  const found = useQuery({
    queryKey: keys.taskPart(props.taskId, "edited"),
    queryFn: () => editableTask(props.taskId),
    gcTime: 0,
    staleTime: 0,
  });
  const failed = schema.error ?? found.error;
  if (!schema.data || !found.data) {
    return (
      <>
        <PageHead title="Edit task" />
        {failed ? <Failed error={failed} again={() => void found.refetch()} /> : <Loading lines={8} />}
      </>
    );
  }
  return <EditForm {...props} schema={schema.data as JsonSchema} {...found.data} />;
}

function EditForm({
  taskId,
  task,
  etag,
  schema,
  search,
  onSearch,
}: PageProps & { schema: JsonSchema; task: Schema<"TaskView">; etag: string | null }) {
  const [first] = useState(() => write(withoutDefaults(schema, { task_name: task.name, ...task.document })));
  // Of the document that is edited: what others change meanwhile must be seen before it is replaced.
  const [seen] = useState(etag);
  const draft = useDraft(`task-${taskId}`, first);
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const save = useMutation({
    mutationFn: () => replaceDocument(taskId, read(draft.text).data ?? {}, seen),
    onSuccess: async () => {
      draft.finish();
      void queryClient.invalidateQueries({ queryKey: keys.task(taskId) });
      void queryClient.invalidateQueries({ queryKey: keys.taskLists });
      await navigate({ to: "/tasks/$taskId", params: { taskId: String(taskId) } });
    },
  });
  return (
    <ImportZone schema={schema} onText={draft.setText}>
      {(importButton) => (
        <>
          <PageHead title={`Edit ${task.name}`} actions={importButton} />
          {draft.restored && <DraftNotice onDiscard={() => draft.restart(first)} />}
          <TaskForm
            draft={draft}
            schema={schema}
            search={search}
            onSearch={onSearch}
            why={null}
            onProfiles={(names) => draft.setText(withValue(draft.text, ["profiles"], names.length ? names : undefined))}
            onEngine={(name) => draft.setText(withValue(draft.text, ["base_runtime"], name))}
            onLeaveToProfiles={() =>
              draft.setText(
                ["parameters", "benchmark", "optimization"].reduce(
                  (now, key) => withValue(now, [key], undefined),
                  draft.text,
                ),
              )
            }
            refused={save.error}
            actions={(possible) => (
              <>
                <Button asChild>
                  <Link to="/tasks/$taskId" params={{ taskId: String(taskId) }}>
                    Cancel
                  </Link>
                </Button>
                <Button
                  look="primary"
                  disabled={!possible || !draft.edited}
                  busy={save.isPending}
                  onClick={() => save.mutate()}
                >
                  Save
                </Button>
              </>
            )}
          />
        </>
      )}
    </ImportZone>
  );
}
