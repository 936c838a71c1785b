import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { testWebhook, type Webhook, webhooksQuery } from "@/api/webhooks";
import { Failed, QueryStates } from "@/components/states/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Deliveries } from "@/features/settings/deliveries";

interface WebhooksProps {
  /** The one whose deliveries are shown, and which page of them. */
  open: string | undefined;
  page: number;
  onOpen: (name: string | undefined, page?: number) => void;
}

/** Addresses that are told how tasks end. They are made in the file of settings. */
export function Webhooks({ open, page, onOpen }: WebhooksProps) {
  const webhooks = useQuery(webhooksQuery);
  return (
    <Panel title="Webhooks">
      <QueryStates query={webhooks} lines={2}>
        {(found) =>
          found.length === 0 ? (
            <p className="text-sm text-ink-soft">
              There are none. They stand in <code>autotuner.toml</code>, each under <code>[[webhooks]]</code>.
            </p>
          ) : (
            <ul className="grid gap-4">
              {found.map((webhook) => (
                <li key={webhook.name} className="grid gap-2 border-t border-line pt-3 first:border-0 first:pt-0">
                  <WebhookLine
                    webhook={webhook}
                    open={open === webhook.name}
                    onToggle={() => onOpen(open === webhook.name ? undefined : webhook.name)}
                  />
                  {open === webhook.name && (
                    <Deliveries name={webhook.name} page={page} onPage={(next) => onOpen(webhook.name, next)} />
                  )}
                </li>
              ))}
            </ul>
          )
        }
      </QueryStates>
    </Panel>
  );
}

function WebhookLine({ webhook, open, onToggle }: { webhook: Webhook; open: boolean; onToggle: () => void }) {
  const queries = useQueryClient();
  const test = useMutation({
    mutationFn: () => testWebhook(webhook.name),
    onSettled: () => queries.invalidateQueries({ queryKey: [...keys.webhooks, webhook.name] }),
  });
  return (
    <>
      <div className="flex flex-wrap items-start justify-between gap-2">
        <div className="min-w-0 text-sm">
          <span className="font-medium">{webhook.name}</span>
          <span className="block break-all text-ink-soft">{webhook.url}</span>
          <span className="mt-1 flex flex-wrap gap-1">
            {webhook.events.map((event) => (
              <Badge key={event}>{event}</Badge>
            ))}
            <Badge tone={webhook.signed ? "good" : "warn"}>{webhook.signed ? "signed" : "not signed"}</Badge>
          </span>
        </div>
        <div className="flex gap-2">
          <Button size="small" busy={test.isPending} onClick={() => test.mutate()}>
            Send a test
          </Button>
          <Button size="small" look="quiet" aria-expanded={open} onClick={onToggle}>
            Deliveries
          </Button>
        </div>
      </div>
      <div aria-live="polite">
        {test.error && <Failed error={test.error} />}
        {test.data && (
          <p className={test.data.delivered ? "text-sm text-good" : "text-sm text-bad"}>
            {test.data.delivered
              ? `The test was taken, with status ${test.data.status}.`
              : `The test was not taken: ${test.data.error ?? `status ${test.data.status}`}`}
          </p>
        )}
      </div>
    </>
  );
}
