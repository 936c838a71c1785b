import { createFileRoute } from "@tanstack/react-router";
import { PageHead } from "@/components/layout/page-head";
import { Appearance } from "@/features/settings/appearance";
import { LiveLink } from "@/features/settings/live-link";
import { SystemHealth, SystemInfo } from "@/features/settings/system";
import { Webhooks } from "@/features/settings/webhooks";

interface SettingsSearch {
  /** The webhook whose deliveries are shown, and which page of them. */
  webhook?: string;
  page?: number;
}

export const Route = createFileRoute("/settings")({
  validateSearch: ({ webhook, page }: Record<string, unknown>): SettingsSearch => ({
    ...(typeof webhook === "string" && webhook !== "" && { webhook }),
    ...(typeof page === "number" && Number.isSafeInteger(page) && page > 1 && { page }),
  }),
  component: Page,
});

function Page() {
  const { webhook, page = 1 } = Route.useSearch();
  const navigate = Route.useNavigate();
  return (
    <>
      <PageHead title="Settings" />
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Appearance />
        <LiveLink />
        <SystemInfo />
        <SystemHealth />
        <div className="lg:col-span-2">
          <Webhooks
            open={webhook}
            page={page}
            onOpen={(name, next = 1) =>
              void navigate({
                search: { ...(name && { webhook: name }), ...(next > 1 && { page: next }) },
                replace: true,
              })
            }
          />
        </div>
      </div>
    </>
  );
}
