import { createFileRoute, notFound } from "@tanstack/react-router";
import { experimentQuery } from "@/api/experiment";
import { ExperimentView } from "@/features/experiment/experiment-view";

export const Route = createFileRoute("/experiments/$experimentId")({
  params: {
    parse: ({ experimentId }) => {
      if (!/^[1-9]\d{0,15}$/.test(experimentId)) throw notFound();
      return { experimentId };
    },
    stringify: ({ experimentId }) => ({ experimentId }),
  },
  loader: ({ context, params }) => void context.queryClient.prefetchQuery(experimentQuery(Number(params.experimentId))),
  component: Page,
});

function Page() {
  const { experimentId } = Route.useParams();
  return <ExperimentView id={Number(experimentId)} />;
}
