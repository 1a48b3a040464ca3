/** Makes the unique id of a message from the UIDVALIDITY of its mailbox and its UID. */
export type UidlFormat = (uidValidity: number, uid: number) => string

/** Eight digits of a number, in lower case. */
function hex(n: number): string {
  return (n + 0x1_0000_0000).toString(16).slice(1)
}

/**
 * What servers make of the two numbers. A site that moves its mail here with UIDVALIDITY and UIDs kept chooses the form of its old server, and
 * no client fetches anything twice.
 */
export const formats = {
  uw: (uidValidity, uid) => hex(uidValidity) + hex(uid),
  dovecot: (uidValidity, uid) => hex(uid) + hex(uidValidity),
  cyrus: (uidValidity, uid) => `${uidValidity}.${uid}`,
  'cyrus-2.0': (_uidValidity, uid) => String(uid),
  courier: (uidValidity, uid) => `UID${uid}-${uidValidity}`,
  'courier-dash': (uidValidity, uid) => `${uidValidity}-${uid}`,
} as const satisfies Record<string, UidlFormat>

/** Words of a template, and what stands for them. */
const WORDS = /\{(validity|uid)(:hex)?\}/g

/** `{validity}.{uid:hex}`: decimal, or eight hexadecimal digits. */
export function templateFormat(template: string): UidlFormat {
  return (uidValidity, uid) =>
    template.replaceAll(WORDS, (_, word: string, asHex: string | undefined) => {
      const n = word === 'uid' ? uid : uidValidity
      return asHex === undefined ? String(n) : hex(n)
    })
}
/** Whether every id that the template makes is one of RFC 1939 §7: 1 to 70 characters of 0x21 to 0x7E, other for each message. */
export function isTemplate(template: string): boolean {
  return /\{uid(?::hex)?\}/.test(template) && /^[\x21-\x7e]+$/.test(template) && !/[{}]/.test(template.replaceAll(WORDS, '')) && templateFormat(template)(0xffffffff, 0xffffffff).length <= 70
}
