import { autocompletion, closeBrackets, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  hoverTooltip,
  keymap,
  lineNumbers,
  tooltips,
} from "@codemirror/view";
import { useEffect, useRef } from "react";
import type { Mark } from "@/features/task-form/document/text";
import { difference } from "@/features/task-form/editor/difference";
import { HIGHLIGHT, LOOK } from "@/features/task-form/editor/look";
import { proposalsAt, tipAt } from "@/features/task-form/schema/completion";
import type { JsonSchema } from "@/features/task-form/schema/lookup";

interface YamlEditorProps {
  text: string;
  onText: (text: string) => void;
  schema: JsonSchema;
  marks: readonly Mark[];
}

/** The server writes the page's nonce into it: without one, a browser refuses the editor's styles. */
const nonce = (): string => document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";

/** The document as YAML, completed and explained by its schema. */
export function YamlEditor({ text, onText, schema, marks }: YamlEditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const tell = useRef(onText);
  tell.current = onText;
  const knowledge = useRef(new Compartment());
  const first = useRef({ text, schema });
  /** What was told and has not come back yet: it must not undo what was typed meanwhile. */
  const echoes = useRef<string[]>([]);

  useEffect(() => {
    if (!host.current) return;
    const made = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: first.current.text,
        extensions: [
          EditorView.cspNonce.of(nonce()),
          lineNumbers(),
          foldGutter(),
          lintGutter(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          closeBrackets(),
          highlightActiveLine(),
          yaml(),
          syntaxHighlighting(HIGHLIGHT),
          LOOK,
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": "Task document as YAML", tabindex: "0" }),
          tooltips({ parent: document.body }),
          knowledge.current.of(knowing(first.current.schema)),
          keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap, ...foldKeymap, ...lintKeymap]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged && !update.transactions.some((one) => one.isUserEvent("outside"))) {
              const written = update.state.doc.toString();
              echoes.current.push(written);
              tell.current(written);
            }
          }),
        ],
      }),
    });
    view.current = made;
    return () => {
      view.current = null;
      made.destroy();
    };
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: knowledge.current.reconfigure(knowing(schema)) });
  }, [schema]);

  useEffect(() => {
    const now = view.current;
    const echo = echoes.current.lastIndexOf(text);
    echoes.current = echo < 0 ? [] : echoes.current.slice(echo + 1);
    if (!now || echo >= 0 || now.state.doc.toString() === text) return;
    now.dispatch({ changes: difference(now.state.doc.toString(), text), userEvent: "outside" });
  }, [text]);

  useEffect(() => {
    const now = view.current;
    if (!now) return;
    const end = now.state.doc.length;
    const shown = marks.map((mark) => ({
      from: Math.min(mark.from, end),
      to: Math.min(mark.to, end),
      severity: "error" as const,
      message: mark.message,
    }));
    now.dispatch(setDiagnostics(now.state, shown));
  }, [marks]);

  return <div ref={host} className="h-full min-h-0 overflow-hidden" />;
}

/** Completion and tips. */
function knowing(schema: JsonSchema) {
  return [
    autocompletion({
      override: [
        (context) => {
          const found = proposalsAt(schema, context.state.doc.toString(), context.pos);
          if (!found?.proposals.length) return null;
          if (!context.explicit && found.from === context.pos) return null;
          return {
            from: found.from,
            options: found.proposals.map(({ label, insert, detail, info }) => ({
              label,
              apply: insert,
              detail,
              ...(info && { info }),
            })),
            validFor: /^[\w.-]*$/,
          };
        },
      ],
    }),
    hoverTooltip((shown, position) => {
      const tip = tipAt(schema, shown.state.doc.toString(), position);
      if (!tip) return null;
      return {
        pos: position,
        create: () => {
          const dom = document.createElement("div");
          dom.className = "cm-schema-tip";
          dom.textContent = `${tip.key}: ${tip.text}`;
          return { dom };
        },
      };
    }),
  ];
}
