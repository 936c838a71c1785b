import { Button } from "@/components/ui/button";

/** Says that what is shown was typed before, and gives it up. */
export function DraftNotice({ onDiscard }: { onDiscard: () => void }) {
  return (
    <p role="status" className="mb-4 flex flex-wrap items-center gap-3 rounded-md bg-accent-soft px-3 py-2 text-sm">
      Draft restored.
      <Button size="small" onClick={onDiscard}>
        Discard
      </Button>
    </p>
  );
}
