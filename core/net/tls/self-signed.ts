import { constants } from 'node:fs'
import { chmod, link, mkdir, open, readFile, rm, unlink } from 'node:fs/promises'
import { generateKeyPair, randomBytes, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { secret } from '../../api/index.js'
import type { CertificateSource, Secret } from '../../api/index.js'

const YEARS = 10
const DAY_MS = 86_400_000
/** Certificate and key stand in one file, so that there is never one without the other. */
const FILE = 'self-signed.pem'

/** PEM texts of a new key and a certificate for `names` (host names and IP addresses), signed with the key itself. */
export async function makeSelfSigned(names: readonly string[], now: Date): Promise<{ readonly certificate: string; readonly key: string }> {
  // Large, and wanted once in ten years: no start waits for it.
  const { default: forge } = await import('node-forge')
  // Keys come from node:crypto: off the event loop, and twenty times faster than in JavaScript.
  const pair = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = forge.pki.publicKeyFromPem(pair.publicKey)
  // RFC 5280 §4.1.2.2: positive, at most 20 octets.
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`
  certificate.validity.notBefore = new Date(now.getTime() - DAY_MS)
  certificate.validity.notAfter = new Date(now.getTime() + YEARS * 365 * DAY_MS)
  const subject = [{ name: 'commonName', value: names[0] ?? 'localhost' }]
  certificate.setSubject(subject)
  certificate.setIssuer(subject)
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    // RFC 5280 §4.2.1.6: 2 is a DNS name, 7 an address.
    { name: 'subjectAltName', altNames: names.map((name) => (isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name })) },
    { name: 'subjectKeyIdentifier' },
  ])
  certificate.sign(forge.pki.privateKeyFromPem(pair.privateKey), forge.md.sha256.create())
  return { certificate: forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n'), key: pair.privateKey }
}

/** A certificate that is made at its first use and kept in `folder`, in a file that only its owner can read. */
export class SelfSignedCertificate implements CertificateSource {
  readonly #folder: string
  readonly #names: readonly string[]
  readonly #now: () => number
  #found: Promise<{ readonly chain: string; readonly key: Secret }> | undefined

  constructor(folder: string, names: readonly string[], now: () => number = Date.now) {
    this.#folder = folder
    this.#names = [...new Set(names)]
    this.#now = now
  }

  /** The file that holds certificate and key. */
  get path(): string {
    return join(this.#folder, FILE)
  }

  find(): Promise<{ readonly chain: string; readonly key: Secret }> {
    this.#found ??= this.#load().catch((error: unknown) => {
      this.#found = undefined
      throw error
    })
    return this.#found
  }

  async #load(): Promise<{ readonly chain: string; readonly key: Secret }> {
    const kept = await readFile(this.path, 'utf8').catch(ignoreMissing)
    if (kept !== undefined && !this.#stale(kept)) return split(kept)
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const { certificate, key } = await makeSelfSigned(this.#names, new Date(this.#now()))
    const fresh = `${this.path}.${randomBytes(6).toString('hex')}`
    try {
      const file = await open(fresh, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
      try {
        await file.writeFile(certificate + key)
        await file.sync()
      } finally {
        await file.close()
      }
      await chmod(fresh, 0o600)
      if (kept !== undefined) await unlink(this.path)
      // A link, not a rename: of two servers that start at once, the second takes what the first made.
      await link(fresh, this.path)
      return split(certificate + key)
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error
      return split(await readFile(this.path, 'utf8'))
    } finally {
      await rm(fresh, { force: true })
    }
  }

  #stale(pem: string): boolean {
    try {
      const certificate = new X509Certificate(pem)
      if (new Date(certificate.validTo).getTime() < this.#now() + DAY_MS) return true
      return this.#names.some((name) => (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) === undefined)
    } catch {
      return true
    }
  }
}

function split(pem: string): { readonly chain: string; readonly key: Secret } {
  const at = pem.search(/-----BEGIN [A-Z ]*PRIVATE KEY-----/)
  return { chain: pem.slice(0, at), key: secret(Buffer.from(pem.slice(at))) }
}
function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
function ignoreMissing(error: unknown): undefined {
  if (!isCode(error, 'ENOENT')) throw error
}
