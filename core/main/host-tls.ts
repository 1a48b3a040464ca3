import { hostname } from 'node:os'
import { certificateSources, secret } from '../api/index.js'
import type { CertificateSource, Logger, Secret } from '../api/index.js'
import { readFile } from 'node:fs/promises'
import type { CertificatePlan, HostPlan, TlsPlan } from '../config/plan/types.js'
import type { HostView } from '../kernel/kernel.js'
import { CertificateFiles } from '../net/tls/certificate-files.js'
import { CertificatesByAddress } from '../net/tls/certificates-by-address.js'
import { CertificatesByKeyType } from '../net/tls/certificates-by-key-type.js'
import { TlsContexts } from '../net/tls/contexts.js'
import { SelfSignedCertificate } from '../net/tls/self-signed.js'

/** Names that a self-signed certificate of a host is made for. */
export function certificateNames(plan: Pick<HostPlan, 'serverName' | 'match'>): readonly string[] {
  const own = [plan.serverName, ...plan.match.names, hostname()].filter((name) => /^[A-Za-z0-9*-]+(\.[A-Za-z0-9-]+)*$/.test(name))
  return [...new Set(['localhost', ...own.map((name) => name.toLowerCase()), '127.0.0.1', '::1', ...plan.match.addresses])]
}

/** Where the certificates of a host come from: its own files first, then the plugins that were chosen. */
export function ownCertificates({ tls, ...plan }: HostPlan, logger: Logger): readonly CertificateSource[] {
  const { certificates, status, byAddress, selfSigned } = tls
  const warn = (message: string, error: unknown): void => logger.warn(message, { error })
  const files = certificates.map(
    ({ certificate, key }, i) =>
      new CertificateFiles({
        certificate,
        key: key === undefined ? undefined : () => readKey(key),
        keyFile: key !== undefined && 'file' in key ? key.file : undefined,
        status: i === 0 ? status : undefined,
        warn,
      }),
  )
  if (files.length > 0) return [new CertificatesByKeyType(files)]
  if (byAddress !== undefined) return [new CertificatesByAddress({ ...byAddress, warn })]
  return selfSigned === undefined ? [] : [new SelfSignedCertificate(selfSigned, certificateNames(plan))]
}

/** TLS of the hosts that are up; a host that was replaced by a reload takes its contexts with it. */
export class HostTls {
  readonly #logger: Logger
  readonly #known = new WeakMap<HostView, TlsContexts>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  contexts(host: HostView, plan: HostPlan): TlsContexts {
    let found = this.#known.get(host)
    if (found === undefined) {
      const plugins = host.entries(certificateSources).map((entry) => entry.made)
      found = new TlsContexts({ ...plan.tls, sources: [...ownCertificates(plan, this.#logger), ...plugins], clientAuthority: clientAuthority(plan.tls) })
      this.#known.set(host, found)
    }
    return found
  }
}

/** Read with each certificate, so a reload of the one takes up the other. */
function clientAuthority({ clientAuthority: path }: TlsPlan): (() => Promise<Buffer>) | undefined {
  return path === undefined ? undefined : () => readFile(path)
}

async function readKey(from: NonNullable<CertificatePlan['key']>): Promise<Secret> {
  if ('file' in from) return secret(await readFile(from.file))
  const value = process.env[from.env]
  if (value === undefined) throw new Error(`the environment has no ${from.env}`)
  return secret(Buffer.from(value))
}
