import { useCallback, useEffect, useRef, useState } from "react";
import { client, taken } from "@/api/client";
import { useLive } from "@/live/live";

const TAIL_BYTES = 64 * 1024;
const EARLIER_BYTES = 256 * 1024;
const MOST_CHARS = 4 * 1024 * 1024;
const APART_MS = 2000;

export interface LiveLog {
  /** The log from byte `start` on; null: not read yet. */
  text: string | null;
  /** What lies before this byte can be loaded. */
  start: number;
  error: Error | null;
  loadEarlier: () => void;
}

interface Part {
  text: string;
  next: number;
  size: number;
}

/** The logs of a task's servers, from some bytes before their end on, and what comes. `stream`: that of one start. */
export function useLiveLog(taskId: number, stream: string | null = null): LiveLog {
  const live = useLive();
  const [shown, setShown] = useState<{ text: string | null; start: number }>({ text: null, start: 0 });
  const [error, setError] = useState<Error | null>(null);
  const reading = useRef<{ again: () => void; earlier: () => void }>({ again: () => {}, earlier: () => {} });

  useEffect(() => {
    const ending = new AbortController();
    const log = new LogReader((offset, limit) => readPart(taskId, stream, offset, limit, ending.signal));
    let timer: ReturnType<typeof setTimeout> | null = null;
    let last = Number.NEGATIVE_INFINITY;
    let busy = false;
    const run = async (work: () => Promise<void>) => {
      busy = true;
      try {
        await work();
        if (ending.signal.aborted) return;
        setShown({ text: log.text, start: log.start });
        setError(null);
      } catch (reason) {
        if (!ending.signal.aborted) setError(reason instanceof Error ? reason : new Error(String(reason)));
      } finally {
        busy = false;
        last = Date.now();
      }
    };
    const again = () => {
      if (timer !== null) return;
      timer = setTimeout(
        () => {
          timer = null;
          if (busy) again();
          else void run(() => log.forward());
        },
        Math.max(0, last + APART_MS - Date.now()),
      );
    };
    reading.current = { again, earlier: () => void (busy || run(() => log.back())) };
    setShown({ text: null, start: 0 });
    setError(null);
    again();
    const deaf = live.listen((frame) => {
      const mine = frame.taskId === taskId && (stream === null || frame.data.stream === stream);
      const all = frame.type === "resync" && frame.taskId === null;
      if ((mine && frame.type === "log_message") || all) again();
    });
    return () => {
      deaf();
      ending.abort();
      if (timer !== null) clearTimeout(timer);
    };
  }, [live, taskId, stream]);

  const loadEarlier = useCallback(() => reading.current.earlier(), []);
  return { ...shown, error, loadEarlier };
}

/** Reads a growing log by offsets, its end first. */
export class LogReader {
  text: string | null = null;
  start = 0;
  private next = 0;

  constructor(private readonly read: (offset: number, limit: number) => Promise<Part>) {}

  /** Read what has come. A log that is smaller than before is read anew. */
  async forward(): Promise<void> {
    if (this.text === null) {
      const { size } = await this.read(0, 1);
      this.start = Math.max(0, size - TAIL_BYTES);
      this.next = this.start;
      this.text = "";
    }
    for (;;) {
      const part = await this.read(this.next, EARLIER_BYTES);
      if (part.size < this.next) {
        this.text = null;
        return this.forward();
      }
      const grown = part.next - this.next;
      this.keep(this.text + part.text);
      this.next = part.next;
      if (grown <= 0 || part.next >= part.size) return;
    }
  }

  private keep(text: string): void {
    const cut = Math.max(0, text.length - MOST_CHARS);
    this.start += new TextEncoder().encode(text.slice(0, cut)).length;
    this.text = text.slice(cut);
  }

  /** Read what lies before. */
  async back(): Promise<void> {
    if (this.text === null || this.start === 0) return;
    const from = Math.max(0, this.start - EARLIER_BYTES);
    const part = await this.read(from, this.start - from);
    this.text = part.text + this.text;
    this.start = from;
  }
}

async function readPart(
  taskId: number,
  stream: string | null,
  offset: number,
  limit: number,
  signal: AbortSignal,
): Promise<Part> {
  const call = client.GET("/api/tasks/{task_id}/logs", {
    params: { path: { task_id: taskId }, query: { offset, limit, ...(stream !== null && { stream }) } },
    parseAs: "text",
    signal,
  });
  const text = await taken(call);
  const { response } = await call;
  return {
    text: typeof text === "string" ? text : "",
    next: Number(response.headers.get("X-Log-Next-Offset") ?? offset),
    size: Number(response.headers.get("X-Log-Size") ?? 0),
  };
}
