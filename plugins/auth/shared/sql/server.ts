import type { Secret } from 'mailwright/api'

/** How a database server is reached. */
export interface DatabaseServer {
  /** Name, address, or what stands for a Unix socket: PostgreSQL's folder, MySQL's file. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: Secret | undefined
  /** `verify`: TLS, with a certificate that is valid for the host. */
  readonly tls: 'off' | 'verify'
  readonly ca: string | undefined
  readonly connections: number
  readonly timeoutMs: number
}
