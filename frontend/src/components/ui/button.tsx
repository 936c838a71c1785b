import { Slot } from "radix-ui";
import type { ComponentProps } from "react";
import { cx } from "@/components/ui/class-names";

const LOOKS = {
  primary: "bg-accent text-accent-ink hover:opacity-90",
  secondary: "border border-line bg-surface text-ink hover:border-line-strong",
  quiet: "text-ink-soft hover:bg-sunken hover:text-ink",
  danger: "border border-bad text-bad hover:bg-bad-soft",
};
const SIZES = { normal: "h-9 gap-2 px-3.5 text-sm", small: "h-7 gap-1.5 px-2.5 text-[13px]", icon: "size-8" };

export interface ButtonProps extends ComponentProps<"button"> {
  look?: keyof typeof LOOKS;
  size?: keyof typeof SIZES;
  /** The only child is the element, e.g. a link. */
  asChild?: boolean;
  /** Work goes on: pressing again does nothing. */
  busy?: boolean;
}

export function Button({ look = "secondary", size = "normal", asChild, busy, className, ...rest }: ButtonProps) {
  const Element = asChild ? Slot.Root : "button";
  return (
    <Element
      {...(asChild ? {} : { type: "button" as const, disabled: busy || rest.disabled })}
      aria-busy={busy || undefined}
      className={cx(
        "inline-flex shrink-0 cursor-pointer items-center justify-center rounded-md font-medium whitespace-nowrap",
        "disabled:cursor-not-allowed disabled:opacity-50",
        LOOKS[look],
        SIZES[size],
        className,
      )}
      {...rest}
    />
  );
}
