import type { HostFacts, ImapSettings, ImapWriter } from '../api/index.js'
import { SERVER_VERSION } from '../session/version.js'
import { greetingDate } from './texts.js'

/** First line of a session. */
export interface Greeting {
  readonly kind: 'OK' | 'PREAUTH' | 'BYE'
  readonly capabilities: readonly string[]
  /** Before the host's name: `Pre-authenticated user alice`, `Service not available`. */
  readonly text?: string
}

/** `* OK [CAPABILITY ...] mail.example.org IMAP4rev1 1.0 at Mon, 5 Jan 2026 09:08:07 +0000 (UTC)`. */
export function writeGreeting(out: ImapWriter, greeting: Greeting, host: HostFacts, version: ImapSettings['greetingVersion'], nowMs: number): void {
  out.raw('* ').raw(greeting.kind).raw(' ')
  if (greeting.capabilities.length > 0) out.raw(`[CAPABILITY ${greeting.capabilities.join(' ')}] `)
  if (greeting.text !== undefined) out.raw(`${greeting.text} `)
  out.raw(`${host.serverName} IMAP4rev1 ${version === 'full' ? `${SERVER_VERSION} ` : ''}at ${greetingDate(nowMs)}`).endLine()
}
