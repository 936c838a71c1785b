import { createFileRoute } from "@tanstack/react-router";
import { PageHead } from "@/components/layout/page-head";
import { PresetEditor } from "@/features/presets/editor/preset-editor";

export const Route = createFileRoute("/presets/new")({ component: Page });

function Page() {
  const navigate = Route.useNavigate();
  return (
    <>
      <PageHead title="New preset" lead="A named set of parameter values, to begin tasks from." />
      <PresetEditor
        preset={null}
        onDone={(id) => void navigate({ to: "/presets/$presetId", params: { presetId: String(id) } })}
        onLeave={() => void navigate({ to: "/presets" })}
      />
    </>
  );
}
