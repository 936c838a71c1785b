import { Search } from "lucide-react";
import { useEffect, useState } from "react";
import { TextInput } from "@/components/ui/field";

const PAUSE_MS = 300;

interface SearchInputProps {
  label: string;
  value: string;
  /** Told when the typing pauses, or at Enter. */
  onChange: (text: string) => void;
}

/** A field of words to search for. */
export function SearchInput({ label, value, onChange }: SearchInputProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onChange(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, value, onChange]);
  return (
    <search className="min-w-48 flex-1 sm:max-w-72">
      <form
        className="relative"
        onSubmit={(event) => {
          event.preventDefault();
          onChange(text);
        }}
      >
        <Search size={15} aria-hidden className="pointer-events-none absolute top-2.5 left-2.5 text-ink-soft" />
        <TextInput
          type="search"
          className="pl-8"
          aria-label={label}
          placeholder={label}
          maxLength={255}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </form>
    </search>
  );
}
