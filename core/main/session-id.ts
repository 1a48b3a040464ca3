import { randomBytes } from 'node:crypto'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/** A short name for a session, unique enough to find its lines in a log. */
export function newSessionId(): string {
  let id = ''
  for (const octet of randomBytes(10)) id += ALPHABET[octet & 31] ?? ''
  return id
}
