import { Download } from "lucide-react";
import { Button } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy-button";
import { saveText } from "@/format/saving";

interface CodeFileProps {
  title: string;
  name: string;
  text: string;
  type?: string;
}

/** A file to be copied or saved. */
export function CodeFile({ title, name, text, type = "text/plain" }: CodeFileProps) {
  return (
    <section aria-label={title} className="min-w-0">
      <div className="mb-1 flex flex-wrap items-center justify-between gap-2">
        <h3>
          {title} <span className="font-mono text-[13px] font-normal text-ink-soft">{name}</span>
        </h3>
        <span className="flex gap-2">
          <CopyButton text={text} what={name} />
          <Button size="small" aria-label={`Save ${name}`} onClick={() => saveText(name, text, type)}>
            <Download size={14} aria-hidden /> Save
          </Button>
        </span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
      <pre tabIndex={0} className="max-h-96 overflow-auto rounded bg-sunken p-3 font-mono text-[12.5px] leading-5">
        {text}
      </pre>
    </section>
  );
}
