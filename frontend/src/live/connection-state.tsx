/** Whether events arrive. The live link takes its place. */
export function ConnectionState() {
  return null;
}
