import { FlaskConical, LayoutDashboard, ListChecks, type LucideIcon, Settings, SlidersHorizontal } from "lucide-react";

/** The pages of the menu. A page stands here only when its back end exists. */
export const MENU: readonly { to: string; label: string; icon: LucideIcon }[] = [
  { to: "/", label: "Dashboard", icon: LayoutDashboard },
  { to: "/tasks", label: "Tasks", icon: ListChecks },
  { to: "/experiments", label: "Experiments", icon: FlaskConical },
  { to: "/presets", label: "Presets", icon: SlidersHorizontal },
  { to: "/settings", label: "Settings", icon: Settings },
];
