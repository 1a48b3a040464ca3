import { sealCommand } from 'mailwright/api'
import type { ImapCommand, ImapCursor, SealedCommand } from 'mailwright/api'
import { LIMITS } from 'mailwright/toolkit'

const utf8 = new TextDecoder('utf-8')

function text(octets: Uint8Array): string {
  return utf8.decode(octets)
}

/** Field and value pairs; names in lower case, the first of equal ones counts, NIL values are left out. */
function parsePairs(input: ImapCursor): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  if (input.tryWord('NIL')) return pairs
  let count = 0
  input.list((c) => {
    if (++count > LIMITS.idPairs) c.fail(`at most ${LIMITS.idPairs} fields`)
    const field = c.string()
    if (field.length > LIMITS.idField) c.fail(`a field name of at most ${LIMITS.idField} octets`)
    c.space()
    const value = c.nstring()
    if (value !== undefined && value.length > LIMITS.idValue) c.fail(`a value of at most ${LIMITS.idValue} octets`)
    const name = text(field).toLowerCase()
    if (value !== undefined && !pairs.has(name)) pairs.set(name, text(value))
  })
  return pairs
}

/** The client says what it is, and is told what the server is (RFC 2971 §3.1). What it says chooses workarounds and stands in the log; it decides nothing else. */
export function idCommand(fields: Readonly<Record<string, string>>): SealedCommand {
  const own = Object.entries(fields).map(([name, value]) => [Buffer.from(name), Buffer.from(value)] as const)
  const command: ImapCommand<ReadonlyMap<string, string>, 'not-authenticated' | 'authenticated' | 'selected'> = {
    name: 'ID',
    states: ['not-authenticated', 'authenticated', 'selected'],
    uidForm: 'no',
    mayReportExpunge: true,
    parse(input) {
      const pairs = parsePairs(input)
      input.end()
      return pairs
    },
    async run(pairs, session) {
      if (pairs.size > 0) session.learn({ id: pairs })
      const { out } = session
      out.raw('* ID ')
      if (own.length === 0) out.raw('NIL')
      else {
        let before = '('
        for (const [name, value] of own) {
          out.raw(before).string(name).raw(' ').string(value)
          before = ' '
        }
        out.raw(')')
      }
      out.endLine()
      return { kind: 'ok' }
    },
  }
  return sealCommand(command)
}
