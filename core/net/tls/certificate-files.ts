import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { secret } from '../../api/index.js'
import type { CertificateSource, Secret, ServedCertificate } from '../../api/index.js'
import { CertificateStatus } from './certificate-status.js'
import { Renewed } from './renewed.js'
import { TlsSetupFailure, setUp } from './setup-failure.js'
import type { SetupStep } from './setup-failure.js'

/** Certificate and key as files. `key` is asked each time the certificate is read; without it the key stands in the certificate file. */
export interface CertificateFilesOptions {
  readonly certificate: string
  readonly key?: (() => Promise<Secret>) | undefined
  /** File whose change means a new key; undefined when the key is not a file. */
  readonly keyFile?: string | undefined
  /** File with an OCSP response about the certificate. */
  readonly status?: string | undefined
  readonly warn: (message: string, cause: unknown) => void
  readonly now?: () => number
}

/** A pair of PEM files. Renewed files take effect with the next handshake; a pair that does not fit together is not taken. */
export class CertificateFiles implements CertificateSource {
  readonly #options: CertificateFilesOptions
  readonly #files: Renewed<ServedCertificate>
  readonly #status: CertificateStatus | undefined
  readonly #keyStep: SetupStep

  constructor(options: CertificateFilesOptions) {
    const { certificate, keyFile, status, warn, now = Date.now } = options
    this.#keyStep = `load private key from ${keyFile ?? (options.key === undefined ? certificate : 'its setting')}`
    this.#options = options
    this.#status = status === undefined ? undefined : new CertificateStatus(status, warn, now)
    this.#files = new Renewed({
      paths: keyFile === undefined ? [certificate] : [certificate, keyFile],
      read: () => this.#read(),
      // In the middle of a renewal the files may not fit together: what worked keeps working.
      warn: (cause) => warn(`cannot load ${certificate} again, the old certificate stays in use`, cause),
      now,
    })
  }

  /** @throws TlsSetupFailure as long as the files were never right. */
  async find(): Promise<ServedCertificate> {
    const { certificate, keyFile } = this.#options
    try {
      return await this.#files.find()
    } catch (cause) {
      if (cause instanceof TlsSetupFailure) throw cause
      const ofKey = keyFile !== undefined && cause instanceof Error && 'path' in cause && cause.path === keyFile
      throw new TlsSetupFailure(ofKey ? this.#keyStep : `load certificate from ${certificate}`, cause)
    }
  }

  async #read(): Promise<ServedCertificate> {
    const { certificate, key } = this.#options
    const chain = await readFile(certificate, 'utf8')
    const own = new X509Certificate(chain)
    const pem = await setUp(this.#keyStep, async () => {
      const found = key === undefined ? secret(Buffer.from(chain)) : await key()
      if (!own.checkPrivateKey(createPrivateKey(Buffer.from(found.reveal())))) throw new Error(`the key does not belong to the certificate ${certificate}`)
      return found
    })
    const status = this.#status
    return { chain, key: pem, ...(status === undefined ? {} : { status: () => status.find(own.serialNumber) }) }
  }
}
