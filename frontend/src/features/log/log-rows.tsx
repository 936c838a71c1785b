import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, memo, useEffect, useLayoutEffect, useRef } from "react";
import { cx } from "@/components/ui/class-names";
import { harmless, type Level, type Lines, levelOf, lineAt, parts, streamOf } from "@/features/log/lines";

const ROW_PX = 20;
const WORDS: Record<Level, [string, string]> = {
  error: ["error", "text-bad"],
  warning: ["warn", "text-warn"],
  debug: ["debug", "text-ink-soft"],
};

interface LogRowsProps {
  lines: Lines;
  /** Byte at which the first line begins; it falls when earlier lines are loaded. */
  start: number;
  words: string;
  wrap: boolean;
  /** The end stays in sight. */
  follow: boolean;
  /** The line that is shown, after a search. */
  chosen: number | null;
  onLeaveEnd: () => void;
}

/** The lines of a log; only those in sight are drawn. */
export function LogRows({ lines, start, words, wrap, follow, chosen, onLeaveEnd }: LogRowsProps) {
  const frame = useRef<HTMLDivElement>(null);
  const count = lines.begins.length;
  const rows = useVirtualizer({
    count,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_PX,
    overscan: 30,
  });
  const before = useRef({ count, start });

  useLayoutEffect(() => {
    const earlier = start < before.current.start ? count - before.current.count : 0;
    before.current = { count, start };
    if (earlier > 0) rows.scrollToIndex(earlier, { align: "start" });
    else if (follow && count > 0) rows.scrollToIndex(count - 1, { align: "end" });
  }, [count, start, follow, rows]);
  useEffect(() => {
    if (chosen !== null) rows.scrollToIndex(chosen, { align: "center" });
  }, [chosen, rows]);
  // Another width of lines is another height.
  // biome-ignore lint/correctness/useExhaustiveDependencies: measured anew when it changes
  useLayoutEffect(() => rows.measure(), [wrap, rows]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (["ArrowUp", "PageUp", "Home"].includes(event.key)) onLeaveEnd();
  };
  const items = rows.getVirtualItems();
  return (
    <section
      ref={frame}
      aria-label="Log"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reached by keyboard
      tabIndex={0}
      onKeyDown={onKeyDown}
      onWheel={(event) => event.deltaY < 0 && onLeaveEnd()}
      onTouchMove={onLeaveEnd}
      onPointerDown={(event) => event.target === event.currentTarget && onLeaveEnd()}
      className="h-[min(70dvh,60rem)] overflow-auto border-t border-line bg-surface font-mono text-[12.5px] leading-5"
    >
      <div
        className={cx("relative", wrap ? "w-full" : "w-max min-w-full")}
        style={{ height: rows.getTotalSize(), paddingTop: items[0]?.start ?? 0 }}
      >
        {items.map(({ index, key }) => (
          <div key={key} ref={rows.measureElement} data-index={index}>
            <Line text={lineAt(lines, index)} words={words} wrap={wrap} chosen={index === chosen} />
          </div>
        ))}
      </div>
    </section>
  );
}

interface LineProps {
  text: string;
  words: string;
  wrap: boolean;
  chosen: boolean;
}

const Line = memo(function Line({ text, words, wrap, chosen }: LineProps) {
  const level = levelOf(text);
  const head = streamOf(text) !== null;
  const [word, colour] = level ? WORDS[level] : ["", ""];
  return (
    <div className={cx("flex min-h-5 gap-3 px-4", chosen && "bg-accent-soft", head && "bg-sunken font-semibold")}>
      <span aria-hidden={!word} className={cx("w-9 shrink-0 text-right text-[11px] select-none", colour)}>
        {word}
      </span>
      <span className={cx(wrap ? "min-w-0 break-all whitespace-pre-wrap" : "whitespace-pre", colour)}>
        {words === ""
          ? harmless(text)
          : parts(harmless(text), words).map((part, place) =>
              place % 2 === 1 ? (
                // biome-ignore lint/suspicious/noArrayIndexKey: parts of one line never move
                <mark key={place} className="rounded-xs bg-warn-soft text-ink outline outline-warn">
                  {part}
                </mark>
              ) : (
                part
              ),
            )}
      </span>
    </div>
  );
});
