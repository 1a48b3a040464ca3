/** `user*admin`: the mailbox of the first with the proof of the second. */
export function splitAdministrator(name: string): { readonly authcid: string; readonly authzid: string } {
  const star = name.indexOf('*')
  if (star <= 0 || star === name.length - 1) return { authcid: name, authzid: '' }
  return { authcid: name.slice(star + 1), authzid: name.slice(0, star) }
}

/** Undefined when the octets are not UTF-8: a replaced octet would make two names equal. */
export function utf8(octets: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets)
  } catch {
    return undefined
  }
}
