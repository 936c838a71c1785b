import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { afterEach, describe, expect, it } from "vitest";
import { DocumentField } from "@/features/task-form/fields/document-field";
import { SearchedInput } from "@/features/task-form/fields/searched-input";
import { SloSection } from "@/features/task-form/sections/slo";
import { type Fault, TaskFormProvider, useDocumentField, useTaskForm } from "@/features/task-form/task-form-state";
import { SCHEMA } from "./schema";

/** A form beside the text that it is a view of. */
function Form({ start, faults = [], children }: { start: string; faults?: Fault[]; children: React.ReactNode }) {
  const [text, setText] = useState(start);
  return (
    <QueryClientProvider client={new QueryClient()}>
      <TaskFormProvider text={text} setText={setText} schema={SCHEMA} faults={faults}>
        {children}
        <textarea aria-label="YAML" value={text} onChange={(event) => setText(event.target.value)} />
      </TaskFormProvider>
    </QueryClientProvider>
  );
}

afterEach(cleanup);

const yaml = () => screen.getByLabelText<HTMLTextAreaElement>("YAML").value;

describe("a field and the text", () => {
  it("are two views of one document", async () => {
    const user = userEvent.setup();
    render(
      <Form start={"# ours\nbenchmark:\n  repeats: 2\n"}>
        <DocumentField path={["benchmark", "repeats"]} />
        <DocumentField path={["benchmark", "num_concurrency"]} />
      </Form>,
    );
    const repeats = screen.getByLabelText("Repeats");
    expect(repeats).toHaveValue("2");
    await user.clear(repeats);
    expect(yaml()).toBe("# ours\n\n{}\n");
    await user.type(screen.getByLabelText("Num concurrency"), "1, 4");
    expect(yaml()).toBe("# ours\n\nbenchmark:\n  num_concurrency: [1, 4]\n");
    await user.clear(screen.getByLabelText("YAML"));
    await user.type(screen.getByLabelText("YAML"), "benchmark:{enter}  repeats: 7");
    expect(repeats).toHaveValue("7");
  });

  it("show what is wrong at the field, and keep the last form while the text is no YAML", async () => {
    const user = userEvent.setup();
    const faults = [{ place: "benchmark.repeats", detail: "must be 1 or more", remedy: "Correct it" }];
    render(
      <Form start={"benchmark:\n  repeats: 0\n"} faults={faults}>
        <DocumentField path={["benchmark", "repeats"]} />
        <State />
      </Form>,
    );
    const repeats = screen.getByLabelText("Repeats");
    expect(repeats).toBeInvalid();
    expect(repeats).toHaveAccessibleDescription(/must be 1 or more\. Correct it/);
    await user.type(screen.getByLabelText("YAML"), "a: [[");
    expect(screen.getByText("unreadable")).toBeVisible();
    expect(repeats).toHaveValue("0");
  });
});

function State() {
  return <p>{useTaskForm().reading.data ? "readable" : "unreadable"}</p>;
}

function Searched() {
  const { value, set } = useDocumentField(["parameters", "size"]);
  const allowed = { type: "int", choices: [], suggested: [64, 128, 512], low: 1, high: null, default: 256 };
  return <SearchedInput name="size" value={value} allowed={allowed} onValue={set} />;
}

it("gives a parameter as one value, as values and as a range", async () => {
  const user = userEvent.setup();
  render(
    <Form start={"parameters:\n  size: 128\n"}>
      <Searched />
    </Form>,
  );
  const how = screen.getByLabelText("How size is given");
  await user.selectOptions(how, "Search values");
  await user.click(screen.getByRole("button", { name: "64" }));
  expect(yaml()).toContain("size: [64, 128]");
  await user.selectOptions(how, "Search a range");
  expect(yaml()).toContain("size: {type: int, low: 64, high: 512}");
  await user.selectOptions(how, "One value");
  expect(yaml()).toContain("size: 256");
});

it("edits limits", async () => {
  const user = userEvent.setup();
  render(
    <Form start={"slo:\n  ttft:\n    p90: {threshold: 2}\n"}>
      <SloSection />
    </Form>,
  );
  const most = screen.getByLabelText("At most (s)");
  await user.clear(most);
  await user.type(most, "0.5");
  expect(yaml()).toContain("threshold: 0.5");
  await user.click(screen.getByRole("button", { name: "Remove the limit on ttft p90" }));
  expect(yaml()).toBe("{}\n");
});
