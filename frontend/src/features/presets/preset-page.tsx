import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type Preset, presetAnalyticsQuery } from "@/api/presets";
import { PageHead } from "@/components/layout/page-head";
import { Badge } from "@/components/ui/badge";
import { Panel } from "@/components/ui/panel";
import { PresetEditor } from "@/features/presets/editor/preset-editor";
import { Values } from "@/features/presets/merge-preview";
import { PresetActions } from "@/features/presets/preset-actions";
import { PresetHistory } from "@/features/presets/preset-history";
import { PresetUses } from "@/features/presets/preset-uses";
import { Fact, Facts } from "@/features/task/facts";
import { moment } from "@/format/moments";

interface PresetPageProps {
  preset: Preset;
  editing: boolean;
  onEditing: (editing: boolean) => void;
}

/** One preset: what it gives, who used it, what it was before. */
export function PresetPage({ preset, editing, onEditing }: PresetPageProps) {
  const analytics = useQuery(presetAnalyticsQuery(String(preset.id)));
  const edits = editing && !preset.is_system;
  return (
    <>
      <PageHead
        title={edits ? `Edit ${preset.name}` : preset.name}
        lead={
          <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
            {preset.is_system && <Badge>System, read-only</Badge>}
            <span>{preset.category}</span>
            <span>{preset.runtime === "any" ? "for any engine" : `for ${preset.runtime}`}</span>
            <span className="figures">revision {preset.revision}</span>
            <Link to="/presets" className="text-accent underline underline-offset-2">
              All presets
            </Link>
          </span>
        }
        actions={
          !edits && <PresetActions preset={preset} usedBy={analytics.data?.tasks} onEdit={() => onEditing(true)} />
        }
      />
      {edits ? (
        <PresetEditor preset={preset} onDone={() => onEditing(false)} onLeave={() => onEditing(false)} />
      ) : (
        <div className="grid items-start gap-5 lg:grid-cols-[minmax(0,1fr)_24rem]">
          <div className="grid gap-5">
            <Given preset={preset} />
            <PresetHistory preset={preset} />
          </div>
          <div className="grid gap-5">
            <PresetUses id={preset.id} />
            <About preset={preset} />
          </div>
        </div>
      )}
    </>
  );
}

function Given({ preset }: { preset: Preset }) {
  const parameters = Object.entries(preset.parameters ?? {});
  return (
    <Panel title="What it gives">
      <div className="grid gap-4">
        {preset.description && <p className="text-sm">{preset.description}</p>}
        {parameters.length > 0 && <Values rows={parameters} />}
        {Object.entries(preset.config ?? {}).map(([block, fields]) => (
          <section key={block} aria-label={block}>
            <h3 className="font-mono text-[13px]">{block}</h3>
            <Values rows={Object.entries(fields)} />
          </section>
        ))}
        {preset.rules.length > 0 && (
          <section aria-label="Rules" className="grid gap-1 text-sm">
            <h3>Rules</h3>
            <ul className="grid gap-1">
              {preset.rules.map(({ when, require, message }) => (
                <li key={`${when} ${require}`}>
                  {when && (
                    <>
                      where <code className="font-mono text-[13px]">{when}</code>:{" "}
                    </>
                  )}
                  <code className="font-mono text-[13px]">{require}</code>
                  <span className="text-ink-soft"> {message}</span>
                </li>
              ))}
            </ul>
          </section>
        )}
        {preset.requires.length > 0 && (
          <p className="text-sm">
            Merged after{" "}
            {preset.requires.map((slug, place) => (
              <span key={slug}>
                {place > 0 && ", "}
                <Link
                  to="/presets/$presetId"
                  params={{ presetId: slug }}
                  className="text-accent underline underline-offset-2"
                >
                  {slug}
                </Link>
              </span>
            ))}
          </p>
        )}
      </div>
    </Panel>
  );
}

function About({ preset }: { preset: Preset }) {
  const { author, tags, recommended_for } = preset.metadata ?? {};
  return (
    <Panel title="About">
      <Facts>
        <Fact name="Tags">{tags?.join(", ")}</Fact>
        <Fact name="Recommended for">{recommended_for?.join(", ")}</Fact>
        <Fact name="Author">{author}</Fact>
        <Fact name="Short name">
          <code className="font-mono text-[13px]">{preset.slug}</code>
        </Fact>
        <Fact name="Made">
          <time dateTime={preset.created_at} className="figures">
            {moment(preset.created_at)}
          </time>
        </Fact>
        <Fact name="Changed">
          <time dateTime={preset.updated_at} className="figures">
            {moment(preset.updated_at)}
          </time>
        </Fact>
      </Facts>
    </Panel>
  );
}
