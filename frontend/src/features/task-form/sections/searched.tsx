import { useMutation, useQuery } from "@tanstack/react-query";
import { Tabs } from "radix-ui";
import { type Form, inForm } from "@/api/documents";
import { engineBlocks } from "@/api/engines";
import { Failed, QueryStates } from "@/components/states/states";
import { Button } from "@/components/ui/button";
import { write } from "@/features/task-form/document/text";
import { MappedArguments } from "@/features/task-form/plan/mapped-arguments";
import type { PlanState } from "@/features/task-form/plan/use-plan";
import { fieldAt, labelOf } from "@/features/task-form/schema/lookup";
import { NeutralBlock } from "@/features/task-form/sections/neutral-block";
import { ParameterPresets } from "@/features/task-form/sections/parameter-presets";
import { Parameters } from "@/features/task-form/sections/parameters";
import { Section } from "@/features/task-form/sections/section";
import { useTaskForm } from "@/features/task-form/task-form-state";

interface SearchedSectionProps {
  engine: string;
  form: Form;
  onForm: (form: Form) => void;
  plan: PlanState;
}

const TAB =
  "cursor-pointer border-b-2 border-transparent px-3 py-1.5 text-sm text-ink-soft hover:text-ink " +
  "data-[state=active]:border-accent data-[state=active]:font-medium data-[state=active]:text-accent";

/** The search space, in either of its two forms. */
export function SearchedSection({ engine, form, onForm, plan }: SearchedSectionProps) {
  const { schema } = useTaskForm();
  return (
    <Section id="searched" title="What is searched">
      <ParameterPresets engine={engine} strategies={fieldAt(schema, ["merge_strategy"])?.choices ?? []} />
      <Tabs.Root value={form} onValueChange={(value) => onForm(value as Form)}>
        <div className="flex flex-wrap items-end justify-between gap-2 border-b border-line">
          <Tabs.List aria-label="Form of the search space" className="-mb-px flex">
            <Tabs.Trigger value="flat" className={TAB}>
              Engine parameters <span className="text-xs">(expert)</span>
            </Tabs.Trigger>
            <Tabs.Trigger value="structured" className={TAB}>
              Structured <span className="text-xs">(advanced)</span>
            </Tabs.Trigger>
          </Tabs.List>
          <ConvertButton form={form} />
        </div>
        <Tabs.Content value="flat" className="pt-3">
          <Parameters engine={engine} />
        </Tabs.Content>
        <Tabs.Content value="structured" className="pt-3">
          <Blocks engine={engine} />
        </Tabs.Content>
      </Tabs.Root>
      <MappedArguments state={plan} />
    </Section>
  );
}

/** Says the whole search space in the form of the tab, as far as it can be said so. */
function ConvertButton({ form }: { form: Form }) {
  const { data, reading, setText } = useTaskForm();
  const convert = useMutation({
    mutationFn: () => inForm(data, form),
    onSuccess: (found) => setText(write(found.document)),
  });
  return (
    <div className="grid justify-items-end gap-1 pb-1">
      <Button
        size="small"
        look="quiet"
        busy={convert.isPending}
        disabled={!reading.data}
        onClick={() => convert.mutate()}
      >
        {form === "flat" ? "Write all as engine parameters" : "Write all as structured fields"}
      </Button>
      {convert.error && <Failed error={convert.error} />}
      {convert.data && convert.data.stays.length > 0 && (
        <p className="text-xs text-ink-soft">Stays as it is: {convert.data.stays.join(", ")}</p>
      )}
    </div>
  );
}

const TITLES: Readonly<Record<string, string>> = { quant_config: "Quantization", parallel_config: "Parallelism" };

function Blocks({ engine }: { engine: string }) {
  const query = useQuery(engineBlocks(engine));
  return (
    <QueryStates query={query}>
      {(blocks) =>
        blocks.length ? (
          <div className="grid gap-4">
            {blocks.map((block) => (
              <NeutralBlock
                key={block.place}
                block={block}
                title={TITLES[block.place] ?? labelOf(block.place.replace(/_config$/, ""))}
              />
            ))}
          </div>
        ) : (
          <p className="text-sm text-ink-soft">{engine} has no structured blocks: use its own parameters.</p>
        )
      }
    </QueryStates>
  );
}
