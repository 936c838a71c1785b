import { isAt, type Path, valueAt } from "@/features/task-form/document/path";
import { Disclosure } from "@/features/task-form/fields/disclosure";
import { DocumentField } from "@/features/task-form/fields/document-field";
import { branches, fieldAt, keysAt, schemaAt } from "@/features/task-form/schema/lookup";
import { useTaskForm } from "@/features/task-form/task-form-state";

interface MoreFieldsProps {
  path: Path;
  /** Keys that stand elsewhere on the page. */
  without?: readonly string[];
  title?: string;
}

/** All further fields of a block, as its schema describes them, blocks in it included. */
export function MoreFields({ path, without = [], title = "More" }: MoreFieldsProps) {
  const { schema, data, faults } = useTaskForm();
  const keys = [...keysAt(schema, path).keys()].filter((key) => !without.includes(key));
  if (!keys.length) return null;
  const given = keys.filter((key) => valueAt(data, [...path, key]) !== undefined).length;
  const wrong = faults.some(({ place }) => place !== null && keys.some((key) => isAt(place, [...path, key])));
  return (
    <Disclosure title={title} wrong={wrong} note={given ? `${given} given` : `${keys.length} fields`}>
      <Fields path={path} keys={keys} />
    </Disclosure>
  );
}

/** The fields of a block side by side. */
export function Fields({ path, keys }: { path: Path; keys: readonly string[] }) {
  const { schema } = useTaskForm();
  return (
    <div className="grid gap-x-4 gap-y-3 sm:grid-cols-2">
      {keys.map((key) => {
        const inner = [...path, key];
        if (fieldAt(schema, inner)?.kind !== "block") return <DocumentField key={key} path={inner} />;
        const found = schemaAt(schema, inner);
        const own = found ? branches(schema, found).flatMap((one) => Object.keys(one.properties ?? {})) : [];
        return (
          <fieldset key={key} className="grid gap-3 rounded-md border border-line p-3 sm:col-span-2">
            <legend className="px-1 text-[13px] font-medium">{fieldAt(schema, inner)?.label}</legend>
            <Fields path={inner} keys={own} />
          </fieldset>
        );
      })}
    </div>
  );
}
