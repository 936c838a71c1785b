import { Badge, type Tone } from "@/components/ui/badge";
import { type ConfiguredValue, type Origin, originOf } from "@/features/task-configuration/provenance";

const TONES: Record<Origin["kind"], Tone> = {
  document: "accent",
  default: "neutral",
  profile: "good",
  preset: "warn",
  other: "neutral",
};

/** Where a value comes from. */
export function OriginBadge({ value }: { value: Pick<ConfiguredValue, "layer" | "presets"> }) {
  const { kind, text } = originOf(value);
  return <Badge tone={TONES[kind]}>{text}</Badge>;
}
