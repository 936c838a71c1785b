import { QueryClient } from "@tanstack/react-query";
import { Problem } from "@/api/problem";

/** Answers stay fresh until an event says otherwise (live/), so that no component polls on its own. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Number.POSITIVE_INFINITY,
      refetchOnWindowFocus: false,
      retry: (failures, error) => failures < 2 && !(error instanceof Problem && error.status < 500),
    },
  },
});
