import { Download } from "lucide-react";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem } from "@/components/ui/menu";

interface SaveMenuProps {
  label: string;
  choices: readonly { label: string; act: () => void }[];
}

/** What a figure can be saved as. */
export function SaveMenu({ label, choices }: SaveMenuProps) {
  return (
    <Menu
      trigger={
        <Button look="quiet" size="small" aria-label={label}>
          <Download size={15} aria-hidden /> Save
        </Button>
      }
    >
      {choices.map((choice) => (
        <MenuItem key={choice.label} onSelect={choice.act}>
          {choice.label}
        </MenuItem>
      ))}
    </Menu>
  );
}
