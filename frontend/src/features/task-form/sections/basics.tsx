import { useQuery } from "@tanstack/react-query";
import { profileList } from "@/api/profiles";
import { QueryStates } from "@/components/states/states";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { cx } from "@/components/ui/class-names";
import { DocumentField, sentence } from "@/features/task-form/fields/document-field";
import { Section } from "@/features/task-form/sections/section";
import { useDocumentField } from "@/features/task-form/task-form-state";

interface BasicsProps {
  /** Why the page began with this document. */
  why: string | null;
  /** The document says itself what profiles would say, so they have little to say. */
  crowded: boolean;
  onProfiles: (names: string[]) => void;
  /** Takes away what the document says itself. */
  onLeaveToProfiles: () => void;
}

/** What the task is called, and for which purpose it is. */
export function Basics({ why, crowded, onProfiles, onLeaveToProfiles }: BasicsProps) {
  return (
    <Section id="basics" title="Purpose" {...(why && { lead: why })}>
      <div className="grid gap-x-4 gap-y-3 sm:grid-cols-2">
        <DocumentField path={["task_name"]} label="Name" bare />
        <DocumentField path={["description"]} bare />
      </div>
      <ProfilePicker onProfiles={onProfiles} />
      {crowded && (
        <p className="flex flex-wrap items-center gap-2 rounded-md bg-warn-soft px-3 py-2 text-sm">
          <span className="grow">What the document says itself is stronger than its profiles.</span>
          <Button size="small" onClick={onLeaveToProfiles}>
            Leave it to the profiles
          </Button>
        </p>
      )}
    </Section>
  );
}

function ProfilePicker({ onProfiles }: { onProfiles: (names: string[]) => void }) {
  const query = useQuery(profileList);
  const { value, error } = useDocumentField(["profiles"]);
  const chosen = Array.isArray(value) ? value.map(String) : [];
  return (
    <fieldset className="grid gap-2">
      <legend className="mb-1 text-[13px] font-medium">
        Profiles{" "}
        <span className="font-normal text-ink-soft">say what is searched and how; later ones are stronger</span>
      </legend>
      <QueryStates query={query}>
        {(profiles) => (
          <ul className="grid gap-2 sm:grid-cols-2 2xl:grid-cols-3">
            {profiles.map((profile) => {
              const place = chosen.indexOf(profile.name);
              return (
                <li key={profile.name}>
                  <label
                    className={cx(
                      "flex h-full cursor-pointer gap-2.5 rounded-md border px-3 py-2 text-sm",
                      "focus-within:outline-2 focus-within:outline-offset-1 focus-within:outline-focus",
                      place >= 0 ? "border-accent bg-accent-soft" : "border-line hover:border-line-strong",
                    )}
                  >
                    <input
                      type="checkbox"
                      className="mt-1 size-3.5 shrink-0 accent-accent outline-none"
                      checked={place >= 0}
                      onChange={() =>
                        onProfiles(
                          place >= 0 ? chosen.filter((name) => name !== profile.name) : [...chosen, profile.name],
                        )
                      }
                    />
                    <span className="grid content-start gap-0.5">
                      <span className="font-medium">
                        {profile.name}
                        {chosen.length > 1 && place >= 0 && (
                          <span className="figures ml-1.5 text-xs font-normal text-ink-soft">{place + 1}.</span>
                        )}
                      </span>
                      {profile.use_case && <span>{sentence(profile.use_case)}</span>}
                      <span className="text-xs text-ink-soft">{sentence(profile.description)}</span>
                    </span>
                  </label>
                </li>
              );
            })}
          </ul>
        )}
      </QueryStates>
      {chosen.length > 1 && (
        <p className="flex flex-wrap items-center gap-1 text-xs text-ink-soft">
          In this order:{" "}
          {chosen.map((name) => (
            <Badge key={name} tone="accent">
              {name}
            </Badge>
          ))}
        </p>
      )}
      {error && <p className="text-xs text-bad">{error}</p>}
    </fieldset>
  );
}
