import { describe, test as register } from 'vitest'
import type { PeerFacts } from '../../api/auth.js'
import { secret, type Secret } from '../../api/kernel.js'

/** One thing that every mechanism, backend or directory must do; it throws a `ContractFailure` where that is not so. */
export interface AuthCase<Under> {
  /** Stable: tests name it. */
  readonly id: string
  readonly title: string
  /** Why it does not apply; undefined: it does. */
  readonly unless?: (under: Under) => string | undefined
  run(under: Under): Promise<void>
}

const CASE_TIMEOUT_MS = 120_000

/** Registers cases as a vitest suite; those that do not apply are named with the reason. */
export function describeCases<Under>(title: string, cases: readonly AuthCase<Under>[], under: () => Under | Promise<Under>): void {
  // oxlint-disable-next-line vitest/valid-title -- the title is the caller's
  describe(title, () => {
    for (const one of cases) {
      // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- cases throw by themselves and bear titles of data
      register(
        `${one.id}: ${one.title}`,
        async (context) => {
          const made = await under()
          const why = one.unless?.(made)
          if (why === undefined) await one.run(made)
          else context.annotate(`does not apply: ${why}`)
        },
        CASE_TIMEOUT_MS,
      )
    }
  })
}

export const words = (text: string): Secret => secret(new TextEncoder().encode(text))
export const octets = (text: string): Uint8Array => new TextEncoder().encode(text)
/** A signal that is never raised. */
export function patient(): AbortSignal {
  return new AbortController().signal
}
/** A client inside TLS. */
export const client: PeerFacts = {
  session: 'kit', address: '192.0.2.7', localAddress: '192.0.2.1', localPort: 993, service: 'imap',
  tls: { serverName: 'mail.example.org', protocol: 'TLSv1.3', cipher: 'AES128-GCM-SHA256', bindings: { 'tls-exporter': new Uint8Array(32).fill(1), 'tls-server-end-point': new Uint8Array(32).fill(2) } },
}
/** What an attempt came to. */
export async function settled<T>(work: () => Promise<T>): Promise<{ readonly value: T } | { readonly error: unknown }> {
  try {
    return { value: await work() }
  } catch (error) {
    return { error }
  }
}
/** Names that are syntax somewhere: of LDAP, SQL, paths, shells, templates, log lines, objects. */
export const HOSTILE_NAMES: readonly string[] = [
  '*', '*)(uid=*', 'alice)(|(uid=*', 'alice*', "' OR '1'='1", "alice' --", 'alice"; DROP TABLE users', '{user}', '$1', '?', '%s%n', '../alice', '/etc/passwd', 'alice/../bob',
  '$(id)', '`id`', 'alice;id', '-h', '--help', 'alice:x', '# alice', 'alice ', ' alice', 'alice\\', 'alice,ou=people', '__proto__', 'constructor', 'a'.repeat(200),
]
