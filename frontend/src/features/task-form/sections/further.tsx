import { DocumentField } from "@/features/task-form/fields/document-field";
import { MoreFields } from "@/features/task-form/fields/more-fields";
import { Section } from "@/features/task-form/sections/section";

/** What most tasks leave as it is. */
export function FurtherSection() {
  return (
    <Section id="further" title="Answers and notes">
      <DocumentField path={["labels"]} />
      <MoreFields path={["quality"]} title="Whether answers stay as good" />
    </Section>
  );
}
