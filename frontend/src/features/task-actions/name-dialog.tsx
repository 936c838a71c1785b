import { type FormEvent, useId, useState } from "react";
import { Problem } from "@/api/problem";
import { Failed } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, TextInput } from "@/components/ui/field";

interface NameDialogProps {
  title: string;
  description: string;
  /** What the field holds at first. */
  name: string;
  confirm: string;
  busy: boolean;
  error: Error | null;
  onConfirm: (name: string) => void;
  onClose: () => void;
}

/** Asks for a name. One that is taken is said at the field. */
export function NameDialog({ title, description, name, confirm, busy, error, onConfirm, onClose }: NameDialogProps) {
  const [text, setText] = useState(name);
  const form = useId();
  const taken = error instanceof Problem && error.status === 409 ? error.message : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() && !busy) onConfirm(text.trim());
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={title}
      description={description}
      footer={
        <>
          <Button onClick={onClose}>Leave it</Button>
          <Button type="submit" form={form} look="primary" busy={busy} disabled={!text.trim()}>
            {confirm}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="grid gap-3">
        {error && !taken && <Failed error={error} />}
        <Field label="Name" error={taken}>
          {(tied) => (
            <TextInput {...tied} value={text} maxLength={255} onChange={(event) => setText(event.target.value)} />
          )}
        </Field>
      </form>
    </Dialog>
  );
}
