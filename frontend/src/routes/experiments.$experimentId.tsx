import { createFileRoute } from "@tanstack/react-router";
import { PageHead } from "@/components/layout/page-head";

export const Route = createFileRoute("/experiments/$experimentId")({ component: Page });

function Page() {
  return <PageHead title="Experiment" />;
}
