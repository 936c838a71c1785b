import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Upload } from "lucide-react";
import { useRef } from "react";
import { toast } from "sonner";
import { keys } from "@/api/keys";
import { importPreset } from "@/api/presets";
import { Problem } from "@/api/problem";
import { Failed } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";

interface Given {
  text: string;
  onConflict?: "rename" | "replace";
}

/** Stores the preset of a file; a name that there is can be given another one, or become its next revision. */
export function ImportPreset() {
  const input = useRef<HTMLInputElement>(null);
  const queries = useQueryClient();
  const navigate = useNavigate();
  const store = useMutation({
    mutationFn: ({ text, onConflict }: Given) => importPreset(text, onConflict),
    onSuccess: ({ id, name, warnings }) => {
      toast.success(`${name} was imported`, warnings.length > 0 ? { description: warnings.join(" ") } : {});
      void navigate({ to: "/presets/$presetId", params: { presetId: String(id) } });
      return queries.invalidateQueries({ queryKey: keys.presets });
    },
  });
  const taken = store.error instanceof Problem && store.error.status === 409;
  const again = (onConflict: "rename" | "replace") =>
    store.variables && store.mutate({ text: store.variables.text, onConflict });
  const take = (file: File | undefined) => {
    if (file) void file.text().then((text) => store.mutate({ text }));
  };
  return (
    <>
      <Button busy={store.isPending} onClick={() => input.current?.click()}>
        <Upload size={16} aria-hidden /> Import
      </Button>
      <input
        ref={input}
        type="file"
        accept=".json,application/json"
        aria-label="File of a preset"
        className="sr-only"
        tabIndex={-1}
        onChange={({ target }) => {
          take(target.files?.[0]);
          target.value = "";
        }}
      />
      {store.error && (
        <Dialog
          open
          onOpenChange={(open) => !open && store.reset()}
          title={taken ? "There is a preset of that name" : "The file was not imported"}
          footer={
            taken ? (
              <>
                <Button onClick={() => again("rename")}>Give it another name</Button>
                <Button look="primary" onClick={() => again("replace")}>
                  Make it the next revision
                </Button>
              </>
            ) : (
              <Button onClick={() => store.reset()}>Close</Button>
            )
          }
        >
          <Failed error={store.error} />
        </Dialog>
      )}
    </>
  );
}
