import { Link } from "@tanstack/react-router";
import { Badge, type Tone } from "@/components/ui/badge";
import { type ConfiguredValue, type Origin, originOf } from "@/features/task-configuration/provenance";

const TONES: Record<Origin["kind"], Tone> = {
  document: "accent",
  default: "neutral",
  profile: "good",
  preset: "warn",
  other: "neutral",
};

/** Where a value comes from; a preset leads to its page. */
export function OriginBadge({ value }: { value: Pick<ConfiguredValue, "layer" | "presets"> }) {
  const { kind, text } = originOf(value);
  const number = value.presets.length === 1 ? value.presets[0]?.number : null;
  const badge = <Badge tone={TONES[kind]}>{text}</Badge>;
  if (number == null) return badge;
  return (
    <Link to="/presets/$presetId" params={{ presetId: String(number) }} className="underline-offset-2 hover:underline">
      {badge}
    </Link>
  );
}
