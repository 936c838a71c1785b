import { type ComponentProps, useEffect, useState } from "react";
import { TextInput } from "@/components/ui/field";

interface TypedInputProps<T> extends Omit<ComponentProps<"input">, "value" | "onChange"> {
  value: T | undefined;
  /** The value as it is typed. */
  shown: (value: T | undefined) => string;
  /** What was typed; undefined: nothing. */
  typed: (text: string) => T | undefined;
  onValue: (value: T | undefined) => void;
}

/** An input of something else than text. What is typed stays as it was typed while one is typing. */
export function TypedInput<T>({ value, shown, typed, onValue, ...rest }: TypedInputProps<T>) {
  const outside = shown(value ?? undefined);
  const [own, setOwn] = useState<string | null>(null);
  useEffect(() => {
    // Somebody else changed the value, such as the YAML beside: that counts.
    setOwn((now) => (now !== null && shown(typed(now)) === outside ? now : null));
  }, [outside, shown, typed]);
  return (
    <TextInput
      {...rest}
      value={own ?? outside}
      onChange={(event) => {
        setOwn(event.target.value);
        onValue(typed(event.target.value));
      }}
      onBlur={(event) => {
        setOwn(null);
        rest.onBlur?.(event);
      }}
    />
  );
}
