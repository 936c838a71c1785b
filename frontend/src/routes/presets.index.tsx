import { createFileRoute } from "@tanstack/react-router";
import { useCallback } from "react";
import { PresetsView } from "@/features/presets/presets-view";
import { type PresetsChanges, presetsSearch } from "@/features/presets/search";

export const Route = createFileRoute("/presets/")({ validateSearch: presetsSearch, component: Page });

function Page() {
  const navigate = Route.useNavigate();
  const onSearch = useCallback(
    (changes: PresetsChanges) =>
      void navigate({ search: (before) => presetsSearch({ ...before, ...changes }), replace: true }),
    [navigate],
  );
  return <PresetsView search={Route.useSearch()} onSearch={onSearch} />;
}
