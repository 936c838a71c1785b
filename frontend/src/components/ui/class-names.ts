import { type ClassValue, clsx } from "clsx";

/** Class names, joined. */
export const cx = (...names: ClassValue[]): string => clsx(names);
