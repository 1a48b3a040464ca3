import type { Pop3CapabilityView } from '../api/index.js'
import { SERVER_VERSION } from '../session/version.js'
import type { LiveSession } from './session.js'

/** The order of the original; others follow in the order of the configuration. */
const ORDER: readonly string[] = ['TOP', 'LOGIN-DELAY', 'UIDL', 'STLS', 'USER', 'SASL']

function rank(line: string): number {
  const at = ORDER.indexOf(line.split(' ', 1)[0] ?? '')
  return at < 0 ? ORDER.length : at
}

/** Lines of CAPA. They do not depend on being logged in; they change with TLS (RFC 2449 §5). */
export function capabilityLines(session: LiveSession): readonly string[] {
  const { peer, gate, settings, profile } = session
  const view: Pop3CapabilityView = {
    state: session.state,
    encrypted: peer.tls !== undefined,
    peer,
    plaintext: gate.plaintext === undefined || gate.plaintext(peer),
    mechanisms: gate.mechanisms(peer),
    settings,
    implementation: settings.greetingVersion === 'full' ? `Mailwright ${SERVER_VERSION}` : 'Mailwright',
  }
  const lines = [...new Set([...session.tables.about.flatMap((about) => about.capabilities(view)), ...profile.show])]
  return lines.filter((line) => !profile.hide.has((line.split(' ', 1)[0] ?? '').toUpperCase())).sort((a, b) => rank(a) - rank(b))
}
