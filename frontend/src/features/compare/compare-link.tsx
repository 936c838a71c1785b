import { Link } from "@tanstack/react-router";
import { Button } from "@/components/ui/button";
import { MOST_COMPARED } from "@/features/compare/ids";

interface CompareLinkProps {
  to: "/compare" | "/compare-tasks";
  ids: readonly number[];
}

/** The way to see some side by side; a button that cannot be pressed for one alone, or too many. */
export function CompareLink({ to, ids }: CompareLinkProps) {
  if (ids.length < 2 || ids.length > MOST_COMPARED) {
    return (
      <Button size="small" disabled title={`From 2 to ${MOST_COMPARED} can be compared`}>
        Compare
      </Button>
    );
  }
  return (
    <Button size="small" look="primary" asChild>
      <Link to={to} search={{ ids: ids.join(",") }}>
        Compare
      </Link>
    </Button>
  );
}
