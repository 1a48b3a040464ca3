/** Minutes east of this machine at a time. */
export function localZone(ms: number): number {
  return 0 - new Date(ms).getTimezoneOffset()
}
