import { useCallback, useEffect, useState } from "react";

/** What is kept in this browser of a document that is being written, until it is a task. */
export interface Kept {
  text: string;
  /** What was sent to be made a task: the same text is sent again under the same key, so that it is made once. */
  sent?: { text: string; key: string };
}

const place = (name: string) => `autotuner.draft.${name}`;

export function keptDraft(name: string): Kept | null {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(place(name)) ?? "null");
    const known = typeof kept === "object" && kept !== null && "text" in kept && typeof kept.text === "string";
    return known ? (kept as Kept) : null;
  } catch {
    return null;
  }
}

export function keepDraft(name: string, draft: Kept): void {
  try {
    localStorage.setItem(place(name), JSON.stringify(draft));
  } catch {
    // A full or forbidden storage: the draft lives as long as the page.
  }
}

export const dropDraft = (name: string): void => localStorage.removeItem(place(name));

/** A word that nobody else has. `crypto.randomUUID` is not there on plain HTTP. */
const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The key to send a text with: the same for the same text, else a new one. */
export const keyFor = (text: string, kept: Kept | null): string =>
  kept?.sent?.text === text ? kept.sent.key : newKey();

export interface DraftState {
  text: string;
  /** The text is not the one that the page began with. */
  edited: boolean;
  /** It was found in this browser when the page was opened. */
  restored: boolean;
  setText: (text: string) => void;
  /** Begins anew with another text. */
  restart: (text: string) => void;
  /** The key under which the text is sent now. */
  sending: () => string;
  /** The draft has become a task. */
  finish: () => void;
}

/** A draft under a name. `first`: what the page begins with when nothing is kept. */
export function useDraft(name: string, first: string): DraftState {
  const [kept] = useState(() => keptDraft(name));
  const [begin, setBegin] = useState(first);
  const [text, setText] = useState(kept?.text ?? first);
  const [restored, setRestored] = useState(kept !== null && kept.text !== first);
  useEffect(() => {
    if (text === begin) dropDraft(name);
    else keepDraft(name, { ...keptDraft(name), text });
  }, [name, text, begin]);
  const restart = useCallback((next: string) => {
    setBegin(next);
    setText(next);
    setRestored(false);
  }, []);
  const sending = useCallback(() => {
    const key = keyFor(text, keptDraft(name));
    keepDraft(name, { text, sent: { text, key } });
    return key;
  }, [name, text]);
  const finish = useCallback(() => dropDraft(name), [name]);
  return { text, edited: text !== begin, restored, setText, restart, sending, finish };
}
