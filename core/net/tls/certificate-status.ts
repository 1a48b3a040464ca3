import { readFile } from 'node:fs/promises'
import type { StatusFacts } from './ocsp-response.js'
import { Renewed } from './renewed.js'

/** Clocks of clients differ; a response is not shown in its last minutes. */
const MARGIN_MS = 300_000

/** Digits of a serial number in one spelling. */
function serialOf(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '')
}

/** An OCSP response in a file that something else renews. */
export class CertificateStatus {
  readonly #path: string
  readonly #warn: (message: string, cause: unknown) => void
  readonly #now: () => number
  readonly #file: Renewed<{ readonly der: Uint8Array; readonly facts: StatusFacts }>
  #complaint = ''

  constructor(path: string, warn: (message: string, cause: unknown) => void, now: () => number = Date.now) {
    this.#path = path
    this.#warn = warn
    this.#now = now
    this.#file = new Renewed({ paths: [path], now, warn: (cause) => this.#complain(cause), read: () => read(path) })
  }

  /**
   * The response, when it is about the certificate of this serial number and holds now. Never throws: without it clients ask the authority themselves.
   * Why there is none is said once.
   */
  async find(serial: string): Promise<Uint8Array | undefined> {
    try {
      const { der, facts } = await this.#file.find()
      const now = this.#now()
      // After a renewal of the certificate the response may still be that of the one before, which clients would take for a forgery.
      const [about, wanted] = [serialOf(facts.serial), serialOf(serial)]
      if (about !== wanted) throw new Error(`it is about the certificate ${about}, not about ${wanted}`)
      if (now < facts.from - MARGIN_MS) throw new Error(`it holds from ${new Date(facts.from).toISOString()} on`)
      if (now >= facts.until - MARGIN_MS) throw new Error(`it ends at ${new Date(facts.until).toISOString()}`)
      this.#complaint = ''
      return der
    } catch (cause) {
      this.#complain(cause)
      return undefined
    }
  }

  #complain(cause: unknown): void {
    const text = cause instanceof Error ? cause.message : String(cause)
    if (text === this.#complaint) return
    this.#complaint = text
    this.#warn(`the OCSP response ${this.#path} is not shown`, cause)
  }
}

async function read(path: string): Promise<{ readonly der: Uint8Array; readonly facts: StatusFacts }> {
  const der = await readFile(path)
  // With a large library, which few servers want.
  const { statusFacts } = await import('./ocsp-response.js')
  return { der, facts: statusFacts(der) }
}
