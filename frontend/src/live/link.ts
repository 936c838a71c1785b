import { waitBefore } from "@/live/backoff";
import { type Frame, parseFrame } from "@/live/frames";
import type { Profile } from "@/live/profiles";

/** Where the link stands. `waiting`: the next try is at `until` (ms since 1970). `off`: a person has to ask for it. */
export type LinkState =
  | { kind: "connecting" }
  | { kind: "live" }
  | { kind: "waiting"; attempt: number; attempts: number; until: number }
  | { kind: "off" }
  | { kind: "paused" };

export interface LinkOptions {
  open: (since: string | null) => WebSocket;
  profile: () => Profile;
  random: () => number;
  onFrame: (frame: Frame) => void;
  /** The stream begins with the present: whatever was answered before may be old. */
  onFresh: () => void;
}

/** Without any frame for so long the connection is dead; heartbeats come every 15 s. */
const SILENCE_MS = 40_000;
/** Every third try goes without the cursor: a service with another database refuses it before it opens. */
const WITHOUT_CURSOR = 3;

/** One WebSocket that comes again where it was cut off. */
export class Link {
  private state: LinkState = { kind: "paused" };
  private readonly listeners = new Set<() => void>();
  private socket: WebSocket | null = null;
  private cursor: string | null = null;
  private failed = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly options: LinkOptions) {}

  readonly current = (): LinkState => this.state;

  readonly subscribe = (tell: () => void): (() => void) => {
    this.listeners.add(tell);
    return () => this.listeners.delete(tell);
  };

  /** Connect, with all tries to spend. Nothing when it is connected. */
  start(): void {
    if (this.socket !== null) return;
    this.failed = 0;
    this.connect();
  }

  /** Close the connection; `start` goes on where it was. */
  pause(): void {
    this.drop();
    this.become({ kind: "paused" });
  }

  private connect(): void {
    this.drop();
    const since = this.failed % WITHOUT_CURSOR === WITHOUT_CURSOR - 1 ? null : this.cursor;
    this.become({ kind: "connecting" });
    const socket = this.options.open(since);
    this.socket = socket;
    this.watch();
    let first = true;
    socket.onmessage = (message: MessageEvent<unknown>) => {
      const frame = parseFrame(message.data);
      this.watch();
      if (frame === null) return;
      if (frame.cursor !== null) this.cursor = frame.cursor;
      if (first) {
        first = false;
        this.failed = 0;
        this.become({ kind: "live" });
        if (since === null) this.options.onFresh();
      }
      this.options.onFrame(frame);
    };
    socket.onclose = () => this.lost();
  }

  /** Take a connection on which nothing comes for lost. */
  private watch(): void {
    this.after(SILENCE_MS, () => this.lost());
  }

  private lost(): void {
    this.drop();
    const profile = this.options.profile();
    const wait = waitBefore(profile, this.failed, this.options.random);
    if (wait === null) {
      this.become({ kind: "off" });
      return;
    }
    this.failed += 1;
    this.become({ kind: "waiting", attempt: this.failed, attempts: profile.attempts, until: Date.now() + wait });
    this.after(wait, () => this.connect());
  }

  private after(wait_ms: number, then: () => void): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(then, wait_ms);
  }

  private drop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const socket = this.socket;
    this.socket = null;
    if (socket === null) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  private become(state: LinkState): void {
    this.state = state;
    for (const tell of this.listeners) tell();
  }
}
