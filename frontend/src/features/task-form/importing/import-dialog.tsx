import { useMutation } from "@tanstack/react-query";
import { FileUp } from "lucide-react";
import { type DragEvent, type ReactNode, useRef, useState } from "react";
import { Failed } from "@/components/states/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { sentence } from "@/features/task-form/fields/document-field";
import { MAX_FILE_BYTES, type ReadFile, readFile } from "@/features/task-form/importing/read-file";
import type { JsonSchema } from "@/features/task-form/schema/lookup";
import { bytes } from "@/format/figures";

interface ImportZoneProps {
  schema: JsonSchema;
  /** The text takes the place of the document. */
  onText: (text: string) => void;
  /** Gets the button that opens the file picker. */
  children: (button: ReactNode) => ReactNode;
}

/** Takes files that are dropped anywhere on the page or picked, and shows what they become before they replace it. */
export function ImportZone({ schema, onText, children }: ImportZoneProps) {
  const picker = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [shown, setShown] = useState(false);
  const reading = useMutation({
    mutationFn: async (file: File) => {
      if (file.size > MAX_FILE_BYTES) {
        throw new Error(`${file.name} has ${bytes(file.size)}; a document has at most ${bytes(MAX_FILE_BYTES)}`);
      }
      return readFile(schema, file.name, await file.text());
    },
  });
  const take = (file: File | undefined) => {
    if (!file) return;
    setShown(true);
    reading.mutate(file);
  };
  const dragging = (event: DragEvent) => event.dataTransfer.types.includes("Files");
  const button = (
    <>
      <Button onClick={() => picker.current?.click()}>
        <FileUp size={15} aria-hidden /> Import file
      </Button>
      <input
        ref={picker}
        type="file"
        accept=".yaml,.yml,.json,.csv,.txt"
        className="sr-only"
        tabIndex={-1}
        aria-label="File to import"
        onChange={(event) => {
          take(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
    </>
  );
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: files can be picked with the button, too
    <div
      className="relative"
      onDragOver={(event) => {
        if (!dragging(event)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => !event.currentTarget.contains(event.relatedTarget as Node | null) && setOver(false)}
      // Before the editor sees it, which would write the file into its text.
      onDropCapture={(event) => {
        if (!dragging(event)) return;
        event.preventDefault();
        event.stopPropagation();
        setOver(false);
        take(event.dataTransfer.files[0]);
      }}
    >
      {children(button)}
      {over && (
        <div className="pointer-events-none absolute inset-0 z-30 grid place-items-start justify-center rounded-lg border-2 border-dashed border-accent bg-accent-soft/80 pt-24">
          <p className="rounded-md bg-surface px-4 py-2 font-medium">
            Drop a task document or a file of aiconfigurator
          </p>
        </div>
      )}
      <ImportDialog
        open={shown}
        onClose={() => setShown(false)}
        busy={reading.isPending}
        error={reading.error}
        files={reading.data ?? []}
        onTake={(file) => {
          setShown(false);
          onText(file.text);
        }}
      />
    </div>
  );
}

interface ImportDialogProps {
  open: boolean;
  onClose: () => void;
  busy: boolean;
  error: Error | null;
  files: readonly ReadFile[];
  onTake: (file: ReadFile) => void;
}

function ImportDialog({ open, onClose, busy, error, files, onTake }: ImportDialogProps) {
  const [chosen, setChosen] = useState(0);
  const file = files[Math.min(chosen, files.length - 1)];
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => !next && onClose()}
      title="Import"
      description="The document of the file takes the place of what is in the form."
      wide
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          {file && (
            <Button look="primary" busy={busy} onClick={() => onTake(file)}>
              Put it into the form
            </Button>
          )}
        </>
      }
    >
      {busy && <p role="status">Reading the file</p>}
      {error && <Failed error={error} />}
      {!busy && !error && file && (
        <div className="grid gap-3 text-sm">
          {files.length > 1 && (
            <fieldset className="grid gap-1">
              <legend className="font-medium">The file has {files.length} tasks</legend>
              {files.map((one, index) => (
                <label key={one.name} className="flex items-center gap-2">
                  <input
                    type="radio"
                    name="imported"
                    className="accent-accent"
                    checked={file === one}
                    onChange={() => setChosen(index)}
                  />
                  {one.name}
                </label>
              ))}
            </fieldset>
          )}
          <p>
            <Badge tone="accent">{file.kind}</Badge> <span className="font-medium">{file.name}</span>
          </p>
          {file.remarks.map((remark) => (
            <p key={remark} className="text-ink-soft">
              {sentence(remark)}
            </p>
          ))}
          {file.problem && (
            <p className="rounded-md bg-warn-soft px-3 py-2">As it stands it cannot be run: {file.problem}</p>
          )}
          <Losses file={file} />
        </div>
      )}
    </Dialog>
  );
}

function Losses({ file }: { file: ReadFile }) {
  if (!file.losses.length) return <p>No value of the file was changed or left out.</p>;
  return (
    <div className="overflow-x-auto">
      <table className="w-full text-left text-[13px]">
        <caption className="pb-1 text-left font-medium">What comes over otherwise, or not at all</caption>
        <thead>
          <tr className="text-ink-soft">
            {["Key", "In the file", "In the task", "Why"].map((head) => (
              <th key={head} scope="col" className="py-1 pr-3 font-normal">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {file.losses.map((loss) => (
            <tr key={loss.place} className="border-t border-line align-top">
              <th scope="row" className="py-1 pr-3 font-mono font-normal">
                {loss.place}
              </th>
              <td className="py-1 pr-3 font-mono">{loss.said}</td>
              <td className="py-1 pr-3 font-mono">{loss.became}</td>
              <td className="py-1">{loss.why}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
