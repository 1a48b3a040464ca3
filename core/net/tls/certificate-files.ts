import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { secret } from '../../api/index.js'
import type { CertificateSource, Secret } from '../../api/index.js'

/** How often, at most, a handshake looks whether the files were renewed. */
const LOOK_AGAIN_MS = 5_000

/** Certificate and key as files. `key` is asked each time the certificate is read; without it the key stands in the certificate file. */
export interface CertificateFilesOptions {
  readonly certificate: string
  readonly key?: (() => Promise<Secret>) | undefined
  /** File whose change means a new key; undefined when the key is not a file. */
  readonly keyFile?: string | undefined
  readonly warn: (message: string, cause: unknown) => void
  readonly now?: () => number
}

/** A pair of PEM files. Renewed files take effect with the next handshake; a pair that does not fit together is not taken. */
export class CertificateFiles implements CertificateSource {
  readonly #options: CertificateFilesOptions
  #found: { readonly chain: string; readonly key: Secret } | undefined
  #stamp = ''
  #lookedAt = -Infinity
  #looking: Promise<void> | undefined

  constructor(options: CertificateFilesOptions) {
    this.#options = options
  }

  async find(): Promise<{ readonly chain: string; readonly key: Secret } | undefined> {
    const now = (this.#options.now ?? Date.now)()
    if (this.#found === undefined || now - this.#lookedAt >= LOOK_AGAIN_MS) {
      this.#looking ??= this.#look(now).finally(() => {
        this.#looking = undefined
      })
      await this.#looking
    }
    return this.#found
  }

  async #look(now: number): Promise<void> {
    const { certificate, keyFile, warn } = this.#options
    try {
      const stamp = await stampOf(keyFile === undefined ? [certificate] : [certificate, keyFile])
      if (stamp !== this.#stamp || this.#found === undefined) {
        this.#found = await this.#read()
        this.#stamp = stamp
      }
    } catch (cause) {
      if (this.#found === undefined) throw cause
      // In the middle of a renewal the files may not fit together: what worked keeps working.
      warn(`cannot load ${certificate} again, the old certificate stays in use`, cause)
    }
    this.#lookedAt = now
  }

  async #read(): Promise<{ readonly chain: string; readonly key: Secret }> {
    const { certificate, key } = this.#options
    const chain = await readFile(certificate, 'utf8')
    const pem = key === undefined ? secret(Buffer.from(chain)) : await key()
    if (!new X509Certificate(chain).checkPrivateKey(createPrivateKey(Buffer.from(pem.reveal())))) {
      throw new Error(`the key does not belong to the certificate ${certificate}`)
    }
    return { chain, key: pem }
  }
}

async function stampOf(paths: readonly string[]): Promise<string> {
  const stats = await Promise.all(paths.map((path) => stat(path, { bigint: true })))
  return stats.map((s) => `${s.dev}:${s.ino}:${s.size}:${s.mtimeNs}`).join(' ')
}
