import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { taskFile, taskYamlQuery } from "@/api/tasks";
import { QueryStates } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy-button";
import { Select } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { DOCUMENT_FORMS, type DocumentForm } from "@/features/task-configuration/search";

interface DocumentViewProps {
  taskId: number;
  form: DocumentForm | undefined;
  onForm: (form: DocumentForm | undefined) => void;
}

/** The whole document as YAML, as an import takes it again. */
export function DocumentView({ taskId, form, onForm }: DocumentViewProps) {
  const text = useQuery(taskYamlQuery(taskId, form));
  return (
    <Panel
      title="Document"
      actions={
        <>
          <Select
            aria-label="Form of the document"
            className="h-7! w-auto! text-[13px]"
            value={form ?? ""}
            onChange={({ target }) => onForm(DOCUMENT_FORMS.find((one) => one === target.value))}
          >
            <option value="">As it is</option>
            <option value="structured">Structured</option>
            <option value="flat">Flat</option>
          </Select>
          <CopyButton text={text.data ?? ""} what="the document" />
          <Button asChild size="small">
            <a href={taskFile.yaml(taskId, form)} download>
              <Download size={14} aria-hidden /> YAML
            </a>
          </Button>
        </>
      }
    >
      <QueryStates query={text} lines={10}>
        {(shown) => (
          <section
            aria-label="The document as YAML"
            // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reached by keyboard
            tabIndex={0}
            className="max-h-[70dvh] overflow-auto rounded-md bg-sunken p-3"
          >
            <pre className="font-mono text-[12.5px] leading-5">{shown}</pre>
          </section>
        )}
      </QueryStates>
    </Panel>
  );
}
