import { QueryClient } from "@tanstack/react-query";
import { Problem } from "@/api/problem";

/** Answers stay fresh until an event says otherwise (live/), so that no component polls on its own. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Number.POSITIVE_INFINITY,
      refetchOnWindowFocus: false,
      // The service is mostly this host's own: it answers also where there is no network.
      networkMode: "always",
      retry: (failures, error) => failures < 2 && !(error instanceof Problem && error.status < 500),
    },
    mutations: { networkMode: "always" },
  },
});
