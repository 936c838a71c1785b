import type { JsonSchema } from "@/features/task-form/schema/lookup";

const searched: JsonSchema[] = [
  { type: ["string", "number", "boolean", "null"] },
  { type: "array", items: { type: ["string", "number"] } },
  { type: "object", properties: { type: { enum: ["int"] }, values: {}, low: {}, high: {} }, required: ["type"] },
];

/** A document's schema with a field of each shape that the real one has. */
export const SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    task_name: { anyOf: [{ type: "string" }, { type: "null" }], default: null, description: "unique name" },
    base_runtime: { anyOf: [{ type: "string", enum: ["one", "two"] }, { type: "null" }], default: null },
    parameters: { type: "object", description: "what is searched", additionalProperties: { anyOf: searched } },
    benchmark: { $ref: "#/$defs/Benchmark", description: "the load", default: { repeats: 1 } },
    slo: { $ref: "#/$defs/Slo" },
  },
  $defs: {
    Benchmark: {
      type: "object",
      properties: {
        repeats: { type: "integer", default: 1, description: "measurements of each load point" },
        window: { type: "number", default: 20 },
        stop: { type: "boolean", default: true },
        num_concurrency: {
          anyOf: [{ type: "integer" }, { type: "array", items: { type: "integer" } }],
          default: [1, 4],
        },
      },
    },
    Slo: {
      type: "object",
      properties: { ttft: { anyOf: [{ $ref: "#/$defs/Targets" }, { $ref: "#/$defs/Target" }, { type: "null" }] } },
    },
    Target: {
      type: "object",
      properties: { threshold: { type: "number", description: "limit, seconds" } },
      required: ["threshold"],
    },
    Targets: { type: "object", properties: { p90: { anyOf: [{ $ref: "#/$defs/Target" }, { type: "null" }] } } },
  },
};
