import type { ReactNode } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";

interface ConfirmProps {
  open: boolean;
  onClose: () => void;
  /** The question. */
  title: string;
  /** What will happen, and how it can be taken back. */
  children: ReactNode;
  /** The verb of the button that does it. */
  verb: string;
  danger?: boolean;
  busy?: boolean;
  onConfirm: () => void;
}

/** Asks before something is done that costs something. */
export function Confirm({ open, onClose, title, children, verb, danger, busy, onConfirm }: ConfirmProps) {
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => !next && onClose()}
      title={title}
      footer={
        <>
          <Button onClick={onClose}>Keep as it is</Button>
          <Button look={danger ? "danger" : "primary"} busy={busy ?? false} onClick={onConfirm}>
            {verb}
          </Button>
        </>
      }
    >
      <div className="grid gap-2 text-sm">{children}</div>
    </Dialog>
  );
}
