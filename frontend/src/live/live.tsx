import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { keys } from "@/api/keys";
import type { Frame } from "@/live/frames";
import { affected, CHANGING, makesAllOld } from "@/live/invalidation";
import { Link, type LinkState } from "@/live/link";
import { pollEvery } from "@/live/polling";
import { chosenProfile, PROFILES } from "@/live/profiles";
import { keepProgress } from "@/live/progress";
import { Refreshing } from "@/live/refreshing";

/** A hidden page keeps its connection for so long. */
const HIDDEN_MS = 30_000;
/** Workers and GPUs send no events: a dashboard that is looked at asks so often, with a heartbeat. */
const GAUGES_MS = 28_000;

/** The live link of a page: events make answers old, progress is kept, and without a link it polls. */
export class Live {
  readonly link: Link;
  private readonly refreshing: Refreshing;
  private readonly listeners = new Set<(frame: Frame) => void>();
  private fresh = false;
  private gauges = 0;

  constructor(private readonly client: QueryClient) {
    this.refreshing = new Refreshing(client);
    this.link = new Link({
      open: (since) => new WebSocket(addressOf(since)),
      profile: () => PROFILES[chosenProfile()],
      random: Math.random,
      onFrame: (frame) => this.take(frame),
      onFresh: () => this.begin(),
    });
  }

  /** Be told of every frame. */
  readonly listen = (tell: (frame: Frame) => void): (() => void) => {
    this.listeners.add(tell);
    return () => this.listeners.delete(tell);
  };

  /** Connect, and follow whether the page is seen and the network is there; what is returned ends it. */
  run(): () => void {
    let hiding: ReturnType<typeof setTimeout> | undefined;
    const seen = () => {
      clearTimeout(hiding);
      this.refreshing.hold(document.hidden);
      if (document.hidden) hiding = setTimeout(() => this.link.pause(), HIDDEN_MS);
      else if (this.link.current().kind !== "live") this.link.start();
    };
    const online = () => {
      if (!document.hidden) this.link.start();
    };
    document.addEventListener("visibilitychange", seen);
    window.addEventListener("online", online);
    const polling = this.pollWithoutLink();
    seen();
    return () => {
      document.removeEventListener("visibilitychange", seen);
      window.removeEventListener("online", online);
      clearTimeout(hiding);
      polling();
      this.link.pause();
      this.refreshing.stop();
    };
  }

  /** Ask by the clock from the moment on in which the link is lost, until it is back. */
  private pollWithoutLink(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const plan = () => {
      timer = setTimeout(() => {
        if (!document.hidden) this.refreshing.add(CHANGING);
        plan();
      }, pollEvery(this.client));
    };
    const follow = () => {
      const live = this.link.current().kind === "live";
      if (live) {
        clearTimeout(timer);
        timer = undefined;
      } else if (timer === undefined) plan();
    };
    const deaf = this.link.subscribe(follow);
    follow();
    return () => {
      deaf();
      clearTimeout(timer);
    };
  }

  /** The stream begins now: answers of before may be old; later on, maybe of another database. */
  private begin(): void {
    if (this.fresh) this.refreshing.all();
    else
      for (const prefix of CHANGING)
        this.refreshing.add(
          this.client
            .getQueryCache()
            .findAll({ queryKey: prefix })
            .map((query) => query.queryKey),
        );
    this.fresh = true;
  }

  private take(frame: Frame): void {
    keepProgress(this.client, frame);
    if (makesAllOld(frame)) this.refreshing.all();
    else this.refreshing.add(affected(frame));
    if (frame.type === "heartbeat" && Date.now() - this.gauges >= GAUGES_MS) {
      if (this.gauges > 0) this.refreshing.add([keys.dashboard]);
      this.gauges = Date.now();
    }
    for (const tell of this.listeners) tell(frame);
  }
}

const LiveContext = createContext<Live | null>(null);

export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [live] = useState(() => new Live(client));
  useEffect(() => live.run(), [live]);
  return <LiveContext value={live}>{children}</LiveContext>;
}

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (live === null) throw new Error("useLive stands outside LiveProvider");
  return live;
}

export function useLinkState(): LinkState {
  const { link } = useLive();
  return useSyncExternalStore(link.subscribe, link.current);
}

function addressOf(since: string | null): URL {
  const address = new URL("/api/ws", location.href.replace(/^http/, "ws"));
  if (since !== null) address.searchParams.set("since", since);
  return address;
}
