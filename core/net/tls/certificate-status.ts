import { readFile } from 'node:fs/promises'
import forge from 'node-forge'
import { Renewed } from './renewed.js'

/** id-pkix-ocsp-basic, RFC 6960 §4.2.1. */
const BASIC = '1.3.6.1.5.5.7.48.1.1'
/** OCSPResponseStatus `successful`. */
const SUCCESSFUL = 0
/** Clocks of clients differ; a response is not shown in its last minutes. */
const MARGIN_MS = 300_000

/** When the first answer of an OCSP response holds, in ms since 1970. `until` is Infinity where the authority names no end. */
export interface StatusTimes {
  readonly from: number
  readonly until: number
}

/** @throws Error what is wrong with the octets, or with what the authority says. */
export function statusTimes(der: Uint8Array): StatusTimes {
  const [status, responseBytes] = sequence(parse(der), 'OCSPResponse')
  const answered = typeof status?.value === 'string' ? status.value.charCodeAt(0) : undefined
  if (answered !== SUCCESSFUL) throw new Error(`the authority answered with the status ${answered ?? 'none'} instead of "successful"`)
  const [type, octets] = sequence(sequence(responseBytes, 'responseBytes')[0], 'ResponseBytes')
  if (typeof type?.value !== 'string' || forge.asn1.derToOid(type.value) !== BASIC || typeof octets?.value !== 'string') throw new Error('it is not of the type "basic"')
  const [data] = sequence(parse(Buffer.from(octets.value, 'latin1')), 'BasicOCSPResponse')
  // ResponseData ::= SEQUENCE { [0] version DEFAULT v1, responderID [1] or [2], producedAt, responses SEQUENCE OF SingleResponse, ... }
  const responses = sequence(data, 'ResponseData').find((part) => part.tagClass === forge.asn1.Class.UNIVERSAL && part.type === forge.asn1.Type.SEQUENCE)
  // SingleResponse ::= SEQUENCE { certID, certStatus CHOICE, thisUpdate GeneralizedTime, [0] nextUpdate OPTIONAL, ... }
  const [, , thisUpdate, next] = sequence(sequence(responses, 'responses')[0], 'SingleResponse')
  const hasEnd = next !== undefined && next.tagClass === forge.asn1.Class.CONTEXT_SPECIFIC && (next.type as number) === 0
  return { from: time(thisUpdate), until: hasEnd ? time(sequence(next, 'nextUpdate')[0]) : Infinity }
}

/** An OCSP response in a file that something else renews. */
export class CertificateStatus {
  readonly #file: Renewed<{ readonly der: Uint8Array; readonly times: StatusTimes }>
  readonly #now: () => number

  constructor(path: string, warn: (message: string, cause: unknown) => void, now: () => number = Date.now) {
    this.#now = now
    this.#file = new Renewed({ paths: [path], now, warn: (cause) => warn(`cannot load ${path}, what the authority says of the certificate`, cause), read: () => read(path) })
  }

  /** The response, when there is one that holds now. Never throws: without it clients ask the authority themselves. */
  async find(): Promise<Uint8Array | undefined> {
    const found = await this.#file.find().catch(() => undefined)
    const now = this.#now()
    return found !== undefined && found.times.from - MARGIN_MS <= now && now < found.times.until - MARGIN_MS ? found.der : undefined
  }
}

async function read(path: string): Promise<{ readonly der: Uint8Array; readonly times: StatusTimes }> {
  const der = await readFile(path)
  return { der, times: statusTimes(der) }
}

function parse(der: Uint8Array): forge.asn1.Asn1 {
  return forge.asn1.fromDer(forge.util.createBuffer(Buffer.from(der).toString('latin1')))
}
function sequence(node: forge.asn1.Asn1 | undefined, name: string): forge.asn1.Asn1[] {
  if (node === undefined || !Array.isArray(node.value)) throw new Error(`it has no ${name}`)
  return node.value
}
function time(node: forge.asn1.Asn1 | undefined): number {
  if (node?.type !== forge.asn1.Type.GENERALIZEDTIME || typeof node.value !== 'string') throw new Error('it has no time where one is due')
  return forge.asn1.generalizedTimeToDate(node.value).getTime()
}
