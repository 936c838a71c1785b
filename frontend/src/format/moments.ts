import { chosenTimeZone, type TimeZone } from "@/format/time-zone";

const of = (locale: string, options: Intl.DateTimeFormatOptions): Record<TimeZone, Intl.DateTimeFormat> => ({
  local: new Intl.DateTimeFormat(locale, options),
  utc: new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" }),
});
/** Sweden writes times as ISO 8601 does. */
const moments = of("sv-SE", { dateStyle: "short", timeStyle: "medium" });
const hours = of("en-GB", { hour: "2-digit", minute: "2-digit" });

function shown(formats: Record<TimeZone, Intl.DateTimeFormat>, iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const zone = chosenTimeZone();
  return formats[zone].format(at) + (zone === "utc" ? " UTC" : "");
}

/** A moment in the chosen time zone: 2026-03-01 14:05:09, with UTC where that is chosen. */
export const moment = (iso: string): string => shown(moments, iso);

/** The clock of a moment, without its second: 14:00. */
export const hourOf = (iso: string): string => shown(hours, iso);
