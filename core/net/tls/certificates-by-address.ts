import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { secret } from '../../api/index.js'
import type { CertificateSource, ServedCertificate } from '../../api/index.js'
import { CertificateFiles } from './certificate-files.js'

/** Where the files are, and what their names begin with. */
export interface CertificatesByAddressOptions {
  readonly certificates: string
  readonly keys?: string | undefined
  readonly name: string
  readonly warn: (message: string, cause: unknown) => void
}

/**
 * `NAME-ADDRESS.pem`, else `NAME.pem`, by the numeric address that the client connected to: how the original chose among the certificates of one
 * machine. All that are there at the first question are read then, so that a process which gives its rights up has them.
 */
export class CertificatesByAddress implements CertificateSource {
  readonly #options: CertificatesByAddressOptions
  readonly #known = new Map<string, CertificateFiles>()
  #readAll: Promise<void> | undefined

  constructor(options: CertificatesByAddressOptions) {
    this.#options = options
  }

  /** @throws Error when a file is there and cannot be used. */
  async find(_serverName: string | undefined, localAddress: string): Promise<ServedCertificate | undefined> {
    const { name } = this.#options
    this.#readAll ??= this.#read().catch((error: unknown) => {
      this.#readAll = undefined
      throw error
    })
    await this.#readAll
    return (await this.#one(`${name}-${localAddress}.pem`)) ?? this.#one(`${name}.pem`)
  }

  async #read(): Promise<void> {
    const { certificates, name } = this.#options
    const files = (await readdir(certificates)).filter((file) => file === `${name}.pem` || (file.startsWith(`${name}-`) && file.endsWith('.pem')))
    for (const file of files) await this.#one(file)
  }

  async #one(file: string): Promise<ServedCertificate | undefined> {
    const { certificates, keys, warn } = this.#options
    let files = this.#known.get(file)
    if (files === undefined) {
      const certificate = join(certificates, file)
      if (!(await exists(certificate))) return undefined
      const key = keys === undefined ? undefined : join(keys, file)
      const own = key !== undefined && (await exists(key)) ? key : undefined
      files = new CertificateFiles({ certificate, warn, ...(own === undefined ? {} : { keyFile: own, key: async () => secret(await readFile(own)) }) })
      this.#known.set(file, files)
    }
    return files.find()
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
