import { useQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { presetQuery } from "@/api/presets";
import { QueryStates } from "@/components/states/states";
import { PresetPage } from "@/features/presets/preset-page";

export const Route = createFileRoute("/presets/$presetId")({
  validateSearch: (given: Record<string, unknown>): { edit?: true } => (given.edit === true ? { edit: true } : {}),
  loader: ({ context, params }) => void context.queryClient.prefetchQuery(presetQuery(params.presetId)),
  component: Page,
});

function Page() {
  const { presetId } = Route.useParams();
  const { edit = false } = Route.useSearch();
  const navigate = Route.useNavigate();
  const preset = useQuery(presetQuery(presetId));
  return (
    <QueryStates query={preset} lines={6}>
      {(shown) => (
        <PresetPage
          preset={shown}
          editing={edit}
          onEditing={(editing) => void navigate({ search: editing ? { edit: true } : {} })}
        />
      )}
    </QueryStates>
  );
}
