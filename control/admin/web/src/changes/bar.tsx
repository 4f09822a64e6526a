/** ChangeBar says how many changes wait in the draft. */
export function ChangeBar() {
  return null;
}
