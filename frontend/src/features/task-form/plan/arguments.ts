/** A command from its first flag on: the program before it is the same for all. A flag stands with its value. */
export function flagsOf(argv: readonly string[]): string[] {
  const first = argv.findIndex((word) => word.startsWith("-") && word.length > 2);
  const flags: string[] = [];
  for (const word of first < 0 ? [] : argv.slice(first)) {
    if (word.startsWith("-") && Number.isNaN(Number(word))) flags.push(word);
    else flags[flags.length - 1] = `${flags.at(-1)} ${word}`;
  }
  return flags;
}

/** What all commands have, and what each has besides. */
export function parted(commands: readonly string[][]): { common: string[]; own: string[][] } {
  const common = (commands[0] ?? []).filter(
    (flag) => commands.length > 1 && commands.every((one) => one.includes(flag)),
  );
  return { common, own: commands.map((one) => one.filter((flag) => !common.includes(flag))) };
}

/** The parameter of a structured field, which the service calls by block and field, for people. */
export const settingName = (name: string): string => name.replace(/^__([a-z]+)__/, "$1 ");
