import { DropdownMenu as Parts } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";
import { cx } from "@/components/ui/class-names";

/** A menu below a button: arrows, letters and Escape work in it. `trigger`: the button. */
export function Menu({ trigger, children }: { trigger: ReactNode; children: ReactNode }) {
  return (
    <Parts.Root>
      <Parts.Trigger asChild>{trigger}</Parts.Trigger>
      <Parts.Portal>
        <Parts.Content
          align="end"
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-h-[var(--radix-dropdown-menu-content-available-height)] min-w-48 overflow-y-auto rounded-md border border-line bg-surface p-1 shadow-lg"
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

/** One choice. With `asChild` the only child is a link. */
export function MenuItem({ danger, className, ...rest }: MenuItemProps) {
  return (
    <Parts.Item
      className={cx(
        "flex cursor-pointer items-center gap-2.5 rounded px-2.5 py-1.5 text-sm outline-none select-none",
        "data-disabled:cursor-not-allowed data-disabled:opacity-50 data-highlighted:bg-sunken",
        danger && "text-bad",
        className,
      )}
      {...rest}
    />
  );
}

export function MenuSeparator() {
  return <Parts.Separator className="my-1 h-px bg-line" />;
}

export function MenuLabel({ children }: { children: ReactNode }) {
  return <Parts.Label className="px-2.5 pt-1.5 pb-0.5 text-xs text-ink-soft">{children}</Parts.Label>;
}
