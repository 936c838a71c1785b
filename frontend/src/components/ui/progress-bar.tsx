/** How far something is. `percent` null: not known, which is said and not shown as nothing done. */
export function ProgressBar({ percent, label }: { percent: number | null; label: string }) {
  const shown = percent === null ? null : Math.min(100, Math.max(0, percent));
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(shown === null ? { "aria-valuetext": "not known yet" } : { "aria-valuenow": Math.round(shown) })}
      className="h-2 w-full overflow-hidden rounded-full bg-sunken"
    >
      <div className="h-full rounded-full bg-accent transition-[width]" style={{ width: `${shown ?? 0}%` }} />
    </div>
  );
}
