import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import type { Question } from "@/features/task-actions/wording";

interface ConfirmDialogProps {
  question: Question;
  busy: boolean;
  onConfirm: () => void;
  onClose: () => void;
}

/** Says what will happen, and asks. */
export function ConfirmDialog({ question, busy, onConfirm, onClose }: ConfirmDialogProps) {
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={question.title}
      footer={
        <>
          <Button onClick={onClose}>Leave it</Button>
          <Button look={question.danger ? "danger" : "primary"} busy={busy} onClick={onConfirm}>
            {question.confirm}
          </Button>
        </>
      }
    >
      <ul className="grid list-disc gap-1.5 pl-5 text-sm">
        {question.consequences.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </Dialog>
  );
}
