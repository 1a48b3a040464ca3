import { SERVER_VERSION } from '../session/version.js'
import type { LiveSession } from './session.js'

/**
 * `+OK POP3 mail.example.org server ready`, or with the timestamp of APOP in the place of the name (RFC 1939 §7). Nothing may come between
 * `+OK` and `POP3`: there are clients that look for it.
 */
export function writeGreeting(session: LiveSession): void {
  const version = session.settings.greetingVersion === 'full' ? ` ${SERVER_VERSION}` : ''
  const marks = session.tables.made.flatMap((extension) => extension.greeting?.(session) ?? [])
  if (marks.length > 0) session.out.line('ok', `POP3${version} server ready ${marks.join(' ')}`)
  else session.out.line('ok', `POP3 ${session.serverName}${version} server ready`)
}
