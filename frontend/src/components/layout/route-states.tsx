import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import { Empty, Failed } from "@/components/states/states";
import { Button } from "@/components/ui/button";

export function NotFound() {
  return (
    <Empty
      title="There is no such page"
      action={
        <Button asChild>
          <Link to="/">To the dashboard</Link>
        </Button>
      }
    />
  );
}

export function RouteFailed({ error, reset }: ErrorComponentProps) {
  return <Failed error={error instanceof Error ? error : new Error(String(error))} again={reset} />;
}
