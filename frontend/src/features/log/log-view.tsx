import { ArrowDownToLine, ChevronDown, ChevronUp, Download, WrapText } from "lucide-react";
import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { taskFile } from "@/api/tasks";
import { Empty, Failed, Loading } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { Select, TextInput } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { linesOf, linesWith, NO_LINES, streamsIn } from "@/features/log/lines";
import { LogRows } from "@/features/log/log-rows";
import { type LogChanges, type LogSearch, streamName } from "@/features/log/search";
import { bytes, figure } from "@/format/figures";
import { useLiveLog } from "@/live/live-log";

interface LogViewProps {
  taskId: number;
  search: LogSearch;
  onSearch: (changes: LogChanges) => void;
}

/** The logs of a task's servers, as they come. */
export function LogView({ taskId, search, onSearch }: LogViewProps) {
  const { stream, wrap = false } = search;
  const log = useLiveLog(taskId, stream ?? null);
  const [follow, setFollow] = useState(true);
  const before = useRef(NO_LINES);
  const lines = useMemo(() => {
    before.current = linesOf(log.text ?? "", before.current);
    return before.current;
  }, [log.text]);
  const streams = useMemo(() => (stream === undefined ? streamsIn(lines) : [stream]), [lines, stream]);
  const words = useDeferredValue(search.words ?? "");
  const found = useMemo(() => linesWith(lines, words), [lines, words]);
  const [place, setPlace] = useState<number | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another search begins at no place
  useEffect(() => setPlace(null), [words, stream]);
  const go = (step: 1 | -1) => {
    if (found.length === 0) return;
    setFollow(false);
    setPlace((now) =>
      now === null ? (step === 1 ? 0 : found.length - 1) : (now + step + found.length) % found.length,
    );
  };

  return (
    <Panel flush>
      <div className="flex flex-wrap items-center gap-2 px-4 py-3">
        <Select
          aria-label="Server start"
          className="w-auto! max-w-56"
          value={stream ?? ""}
          onChange={({ target }) => onSearch({ stream: target.value || undefined })}
        >
          <option value="">All server starts</option>
          {streams.map((one) => (
            <option key={one} value={one}>
              {streamName(one)}
            </option>
          ))}
        </Select>
        <form
          className="flex min-w-0 items-center gap-1"
          onSubmit={(event) => {
            event.preventDefault();
            go(1);
          }}
        >
          <TextInput
            type="search"
            aria-label="Search the log"
            placeholder="Search"
            className="w-44!"
            value={search.words ?? ""}
            onChange={({ target }) => onSearch({ words: target.value || undefined })}
          />
          <Button look="quiet" size="icon" aria-label="Match before" disabled={!found.length} onClick={() => go(-1)}>
            <ChevronUp size={16} aria-hidden />
          </Button>
          <Button look="quiet" size="icon" aria-label="Next match" disabled={!found.length} onClick={() => go(1)}>
            <ChevronDown size={16} aria-hidden />
          </Button>
          <span role="status" className="figures text-xs whitespace-nowrap text-ink-soft">
            {words !== "" &&
              (found.length === 0
                ? "no line"
                : `${place === null ? "" : `${place + 1} of `}${figure(found.length)} line${found.length === 1 ? "" : "s"}`)}
            {words !== "" && log.start > 0 && " of what is loaded"}
          </span>
        </form>
        <div className="ml-auto flex gap-2">
          <Button
            size="small"
            aria-pressed={follow}
            look={follow ? "primary" : "secondary"}
            onClick={() => setFollow(!follow)}
          >
            <ArrowDownToLine size={14} aria-hidden /> Follow
          </Button>
          <Button
            size="small"
            aria-pressed={wrap}
            look={wrap ? "primary" : "secondary"}
            onClick={() => onSearch({ wrap: wrap ? undefined : true })}
          >
            <WrapText size={14} aria-hidden /> Wrap
          </Button>
          <Button asChild size="small">
            <a
              href={taskFile.logs(taskId, stream)}
              download={`task-${taskId}${stream ? `-${stream.replace("/", "-")}` : ""}.log`}
            >
              <Download size={14} aria-hidden /> Download
            </a>
          </Button>
        </div>
      </div>
      {log.error && (
        <div className="px-4 pb-3">
          <Failed error={log.error} />
        </div>
      )}
      {log.start > 0 && (
        <div className="border-t border-line px-4 py-1.5 text-sm">
          <Button size="small" look="quiet" onClick={log.loadEarlier}>
            Load earlier lines: {bytes(log.start)} lie before
          </Button>
        </div>
      )}
      {log.text === null && !log.error && (
        <div className="px-4 pb-4">
          <Loading lines={8} />
        </div>
      )}
      {log.text === "" && (
        <Empty title="Nothing was logged yet">What the engine's servers write appears here while they run.</Empty>
      )}
      {lines.begins.length > 0 && (
        <LogRows
          key={stream ?? ""}
          lines={lines}
          start={log.start}
          words={words}
          wrap={wrap}
          follow={follow}
          chosen={place === null ? null : (found[place] ?? null)}
          onLeaveEnd={() => setFollow(false)}
        />
      )}
    </Panel>
  );
}
