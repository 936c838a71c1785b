import { describe, expect, it } from "vitest";
import { csv, json } from "@/format/csv";

describe("csv", () => {
  it("quotes what needs it, and nothing else", () => {
    expect(
      csv({
        columns: ["a", "b, c"],
        rows: [
          ['say "x"', 1.5],
          [null, true],
          ["two\nlines", -3],
        ],
      }),
    ).toBe('a,"b, c"\r\n"say ""x""",1.5\r\n,true\r\n"two\nlines",-3\r\n');
  });

  it.each(["=1+1", "@sum", "+cmd", "-x", "\tx"])(
    "puts an apostrophe before %j, which a spreadsheet would run",
    (text) => {
      expect(csv({ columns: ["a"], rows: [[text]] })).toBe(`a\r\n'${text}\r\n`);
    },
  );

  it("leaves numbers with a sign alone, also as text", () => {
    expect(csv({ columns: ["a"], rows: [["-5"], ["+12.3"]] })).toBe("a\r\n-5\r\n+12.3\r\n");
  });
});

describe("json", () => {
  it("makes a list of objects", () => {
    expect(
      JSON.parse(
        json({
          columns: ["a", "b"],
          rows: [
            [1, "x"],
            [undefined, null],
          ],
        }),
      ),
    ).toEqual([
      { a: 1, b: "x" },
      { a: null, b: null },
    ]);
  });
});
