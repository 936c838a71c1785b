import { Panel } from "@/components/ui/panel";
import { RadioGroup } from "@/components/ui/radio-group";
import { ConnectionState } from "@/live/connection-state";
import { chooseProfile, PROFILES, type ProfileName, useProfileName } from "@/live/profiles";

const OPTIONS = (Object.keys(PROFILES) as ProfileName[]).map((value) => ({
  value,
  label: PROFILES[value].label,
  hint: PROFILES[value].hint,
}));

/** How the page comes again when its link to the service is cut off. */
export function LiveLink() {
  return (
    <Panel title="Live link" actions={<ConnectionState />}>
      <div className="grid gap-3">
        <RadioGroup label="Profile" options={OPTIONS} value={useProfileName()} onChange={chooseProfile} />
        <p className="text-xs text-ink-soft">
          Waits grow from try to try and stray by a quarter. While there is no link, the page asks every 30 s when
          something runs, else every 5 min. Kept in this browser.
        </p>
      </div>
    </Panel>
  );
}
