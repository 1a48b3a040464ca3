/** Formats of the file to which mail is delivered: an INBOX of others is a file of its own. */
const DELIVERED: readonly string[] = ['unix', 'mmdf']

/** The line of a configuration with all formats, in which an INBOX may be of this one. */
export function driversFor(format: string): string {
  return `drivers: { use: [mix, mx, { use: mh, allowInbox: true }, mbx, tenex, mtx, mmdf, unix, dummy], empty: ${DELIVERED.includes(format) ? format : 'unix'} }`
}
/** Whether an INBOX of this format is there only when it was made (`CREATE #driver.FORMAT/INBOX`); that of MH is its folder. */
export function isInboxMade(format: string): boolean {
  return !DELIVERED.includes(format) && format !== 'mh'
}
