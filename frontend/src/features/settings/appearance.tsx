import { setTheme, type Theme, useTheme } from "@/components/layout/theme";
import { Panel } from "@/components/ui/panel";
import { RadioGroup } from "@/components/ui/radio-group";
import { chooseTimeZone, type TimeZone, useTimeZone } from "@/format/time-zone";

const THEMES: readonly { value: Theme; label: string }[] = [
  { value: "system", label: "As the system" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
];

/** How this browser shows the pages. */
export function Appearance() {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zones: readonly { value: TimeZone; label: string }[] = [
    { value: "local", label: `Of this browser (${here})` },
    { value: "utc", label: "UTC" },
  ];
  return (
    <Panel title="Appearance">
      <div className="grid gap-5">
        <RadioGroup label="Theme" options={THEMES} value={useTheme()} onChange={setTheme} />
        <RadioGroup label="Time zone of times" options={zones} value={useTimeZone()} onChange={chooseTimeZone} />
        <p className="text-xs text-ink-soft">Kept in this browser.</p>
      </div>
    </Panel>
  );
}
