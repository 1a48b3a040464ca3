import { timingSafeEqual } from 'node:crypto'

/** Compares without telling by its time where the first difference is. */
export function equalOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
/** The same for hashes as text. */
export function equalText(a: string, b: string): boolean {
  return equalOctets(Buffer.from(a), Buffer.from(b))
}
/** `{BLF-CRYPT}$2y$...` without its label. */
export function withoutLabel(stored: string): string {
  return stored.startsWith('{') ? stored.slice(stored.indexOf('}') + 1) : stored
}
