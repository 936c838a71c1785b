import { useQuery } from "@tanstack/react-query";
import { artefactAddress, artefactsQuery } from "@/api/experiment";
import { QueryStates } from "@/components/states/states";
import { bytes } from "@/format/figures";

/** The files that the server starts have left. */
export function Artefacts({ id }: { id: number }) {
  const query = useQuery(artefactsQuery(id));
  return (
    <QueryStates query={query} lines={3}>
      {(page) =>
        page.items.length === 0 ? (
          <p className="px-4 pb-4 text-sm text-ink-soft">No file is left.</p>
        ) : (
          <>
            <ul className="max-h-72 overflow-y-auto text-sm">
              {page.items.map((file) => (
                <li
                  key={file.path}
                  className="flex items-baseline justify-between gap-4 border-t border-line px-4 py-1.5"
                >
                  <a
                    href={artefactAddress(id, file.path)}
                    download
                    className="min-w-0 font-mono text-[13px] break-all text-accent underline-offset-2 hover:underline"
                  >
                    {file.path}
                  </a>
                  <span className="figures text-ink-soft">{bytes(file.size)}</span>
                </li>
              ))}
            </ul>
            {page.total > page.items.length && (
              <p className="px-4 py-2 text-xs text-ink-soft">
                The first {page.items.length} of {page.total} files.
              </p>
            )}
          </>
        )
      }
    </QueryStates>
  );
}
