import { Link } from "@tanstack/react-router";
import type { Preset } from "@/api/presets";
import { Badge } from "@/components/ui/badge";
import type { Column } from "@/components/ui/data-table";
import { shown } from "@/features/task-form/document/values";
import { moment } from "@/format/moments";

/** What a preset gives, in one line. */
export function givesText({ parameters, config }: Pick<Preset, "parameters" | "config">): string {
  const flags = Object.entries(parameters ?? {}).map(([name, values]) => `${name} ${shown(values)}`);
  return [...flags, ...Object.keys(config ?? {})].join("; ");
}

/** The columns of the list of presets. Sorting is the service's. */
export function columns(onTag: (tag: string) => void): Column<Preset>[] {
  return [
    {
      id: "name",
      head: "Name",
      className: "sm:whitespace-nowrap",
      sortBy: ({ name }) => name,
      cell: ({ id, name, is_system }) => (
        <span className="inline-flex items-center gap-2 max-sm:flex-wrap">
          <Link
            to="/presets/$presetId"
            params={{ presetId: String(id) }}
            className="font-medium text-accent underline-offset-2 hover:underline"
          >
            {name}
          </Link>
          {is_system && <Badge>System</Badge>}
        </span>
      ),
    },
    { id: "category", head: "Category", sortBy: ({ category }) => category, cell: ({ category }) => category },
    { id: "runtime", head: "Engine", from: "md", cell: ({ runtime }) => runtime },
    {
      id: "gives",
      head: "Gives",
      from: "sm",
      className: "w-full max-w-0",
      cell: (preset) => (
        <span className="block truncate font-mono text-[13px]" title={givesText(preset)}>
          {givesText(preset)}
        </span>
      ),
    },
    {
      id: "tags",
      head: "Tags",
      from: "lg",
      cell: ({ metadata }) => (
        <span className="flex gap-1 whitespace-nowrap">
          {(metadata?.tags ?? []).map((tag) => (
            <button
              key={tag}
              type="button"
              onClick={() => onTag(tag)}
              aria-label={`Only presets with the tag ${tag}`}
              className="cursor-pointer rounded bg-sunken px-1.5 py-0.5 text-xs text-ink-soft hover:text-ink"
            >
              {tag}
            </button>
          ))}
        </span>
      ),
    },
    { id: "revision", head: "Revision", align: "right", from: "md", cell: ({ revision }) => revision },
    {
      id: "updated_at",
      head: "Changed",
      align: "right",
      from: "xl",
      sortBy: ({ updated_at }) => updated_at,
      cell: ({ updated_at }) => moment(updated_at),
    },
  ];
}
