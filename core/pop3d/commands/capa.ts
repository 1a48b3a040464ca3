import type { Pop3Command } from '../../api/index.js'
import { capabilityLines } from '../capabilities.js'
import { liveSession } from '../session.js'

/** RFC 2449 §5. */
export const capa: Pop3Command = {
  name: 'CAPA',
  states: ['authorization', 'transaction'],
  run(_args, session) {
    const { out } = session
    out.ok('Capability list follows:')
    for (const line of capabilityLines(liveSession(session))) out.raw(line).endLine()
    out.end()
    return { kind: 'sent' }
  },
}
