import { Check } from "lucide-react";
import { DropdownMenu as Parts } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";
import { cx } from "@/components/ui/class-names";

/** A menu of actions below its button. */
export function Menu({ trigger, children }: { trigger: ReactNode; children: ReactNode }) {
  return (
    <Parts.Root modal={false}>
      <Parts.Trigger asChild>{trigger}</Parts.Trigger>
      <Parts.Portal>
        <Parts.Content
          align="end"
          sideOffset={4}
          collisionPadding={8}
          className="z-30 max-h-[70dvh] min-w-44 overflow-y-auto rounded-md border border-line bg-surface p-1 shadow-lg"
        >
          {children}
        </Parts.Content>
      </Parts.Portal>
    </Parts.Root>
  );
}

interface MenuItemProps extends ComponentProps<typeof Parts.Item> {
  danger?: boolean;
}

export function MenuItem({ danger, className, ...rest }: MenuItemProps) {
  return (
    <Parts.Item
      className={cx(
        "flex cursor-pointer items-center gap-2 rounded px-2 py-1.5 text-sm outline-none select-none",
        "data-disabled:cursor-not-allowed data-disabled:opacity-50 data-highlighted:bg-sunken",
        danger && "text-bad",
        className,
      )}
      {...rest}
    />
  );
}

interface MenuCheckProps {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}

/** A choice that can be on or off; the menu stays open. */
export function MenuCheck({ label, checked, onChange }: MenuCheckProps) {
  return (
    <Parts.CheckboxItem
      checked={checked}
      onCheckedChange={onChange}
      onSelect={(event) => event.preventDefault()}
      className="flex cursor-pointer items-center gap-2 rounded px-2 py-1.5 text-sm outline-none select-none data-highlighted:bg-sunken"
    >
      <span aria-hidden className="grid size-4 shrink-0 place-items-center rounded-sm border border-line-strong">
        <Parts.ItemIndicator>
          <Check size={13} className="text-accent" />
        </Parts.ItemIndicator>
      </span>
      {label}
    </Parts.CheckboxItem>
  );
}

export function MenuLine() {
  return <Parts.Separator className="my-1 h-px bg-line" />;
}
