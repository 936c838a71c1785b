import { type ComponentProps, type ReactNode, useId } from "react";
import { cx } from "@/components/ui/class-names";

export const CONTROL =
  "w-full rounded-md border border-line-strong bg-surface px-2.5 h-9 text-sm placeholder:text-ink-soft " +
  "aria-invalid:border-bad disabled:opacity-60";

interface FieldProps {
  label: string;
  hint?: ReactNode;
  /** What is wrong with the value; shown at the field and told to screen readers. */
  error?: string | undefined;
  /** Gets what ties the control to its label, hint and error. */
  children: (tied: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
  className?: string;
}

/** A labelled control. */
export function Field({ label, hint, error, children, className }: FieldProps) {
  const id = useId();
  const said = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div className={cx("grid content-start gap-1", className)}>
      <label htmlFor={id} className="text-[13px] font-medium">
        {label}
      </label>
      {children({ id, ...(said && { "aria-describedby": said }), ...(error && { "aria-invalid": true as const }) })}
      {hint && (
        <p id={`${id}-hint`} className="text-xs text-ink-soft">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} className="text-xs text-bad">
          {error}
        </p>
      )}
    </div>
  );
}

export function TextInput({ className, ...rest }: ComponentProps<"input">) {
  return <input className={cx(CONTROL, className)} {...rest} />;
}

export function Select({ className, ...rest }: ComponentProps<"select">) {
  return <select className={cx(CONTROL, "pr-8", className)} {...rest} />;
}
