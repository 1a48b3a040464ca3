/** A hash in the PHC string format: `$id$v=19$m=65536,t=3,p=4$salt$hash`. */
export interface PhcString {
  readonly id: string
  readonly version: number | undefined
  readonly parameters: ReadonlyMap<string, number>
  readonly salt: Uint8Array
  readonly hash: Uint8Array
}

/** Undefined when the text is none, or lacks salt or hash. */
export function parsePhc(text: string): PhcString | undefined {
  const found = /^\$([a-z0-9-]{1,32})(?:\$v=(\d{1,3}))?\$([a-z]+=\d{1,10}(?:,[a-z]+=\d{1,10})*)\$([A-Za-z0-9+/.]+)\$([A-Za-z0-9+/.]+)$/.exec(text)
  if (found === null) return undefined
  const [, id = '', version, parameters = '', salt = '', hash = ''] = found
  return {
    id,
    version: version === undefined ? undefined : Number(version),
    parameters: new Map(parameters.split(',').map((p) => [p.slice(0, p.indexOf('=')), Number(p.slice(p.indexOf('=') + 1))])),
    salt: fromBase64(salt),
    hash: fromBase64(hash),
  }
}

/** The opposite of `parsePhc`; parameters in the order of the map. */
export function formatPhc(s: PhcString): string {
  const parameters = [...s.parameters].map(([name, value]) => `${name}=${value}`).join(',')
  return `$${s.id}${s.version === undefined ? '' : `$v=${s.version}`}$${parameters}$${toBase64(s.salt)}$${toBase64(s.hash)}`
}

/** Some writers say `.` where base64 has `+`. */
function fromBase64(text: string): Uint8Array {
  return Buffer.from(text.replaceAll('.', '+'), 'base64')
}
function toBase64(octets: Uint8Array): string {
  return Buffer.from(octets).toString('base64').replaceAll('=', '')
}
