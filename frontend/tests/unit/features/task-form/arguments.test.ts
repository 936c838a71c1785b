// @vitest-environment node
import { expect, it } from "vitest";
import { flagsOf, parted, settingName } from "@/features/task-form/plan/arguments";

it("parts what all commands have from what each has", () => {
  const commands = ["1", "-1"].map((size) => flagsOf(["python", "-u", "start.py", "--host", "here", "--size", size]));
  expect(commands[1]).toEqual(["--host here", "--size -1"]);
  expect(parted(commands)).toEqual({ common: ["--host here"], own: [["--size 1"], ["--size -1"]] });
  expect(parted([flagsOf(["a", "--b"])])).toEqual({ common: [], own: [["--b"]] });
  expect(flagsOf(["a", "b"])).toEqual([]);
  expect(["__kind__size", "n_batch"].map(settingName)).toEqual(["kind size", "n_batch"]);
});
