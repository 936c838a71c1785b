import { Download } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { Button } from "@/components/ui/button";

interface SaveMenuProps {
  label: string;
  choices: readonly { label: string; act: () => void }[];
}

/** What a figure can be saved as. */
export function SaveMenu({ label, choices }: SaveMenuProps) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>
        <Button look="quiet" size="small" aria-label={label}>
          <Download size={15} aria-hidden /> Save
        </Button>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="end"
          sideOffset={4}
          className="z-40 min-w-40 rounded-md border border-line bg-surface p-1 text-sm shadow-lg"
        >
          {choices.map((choice) => (
            <DropdownMenu.Item
              key={choice.label}
              onSelect={choice.act}
              className="cursor-pointer rounded px-2.5 py-1.5 outline-none data-highlighted:bg-sunken"
            >
              {choice.label}
            </DropdownMenu.Item>
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
