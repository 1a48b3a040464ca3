const LF = 10
const CR = 13

/** Octets of the empty line at the end of a header, of which the last four suffice; 0: there is none. */
export function blankLineOctets(header: Uint8Array): number {
  const n = header.length
  if (n === 0 || header[n - 1] !== LF) return 0
  const blank = header[n - 2] === CR ? 2 : 1
  return n === blank || header[n - blank - 1] === LF ? blank : 0
}
