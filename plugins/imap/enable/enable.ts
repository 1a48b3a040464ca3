import { LIMITS } from 'mailwright/toolkit'
import type { ImapCommand } from 'mailwright/api'

/** Switches extensions on that change what the server says unasked (RFC 5161 §3.1); names that nobody knows are passed over. */
export const enable: ImapCommand<readonly string[], 'authenticated'> = {
  name: 'ENABLE',
  // RFC 5161 §3.1: before a mailbox is selected.
  states: ['authenticated'],
  uidForm: 'no',
  mayReportExpunge: true,
  parse(input) {
    const names: string[] = []
    for (;;) {
      if (names.length >= LIMITS.fetchItems) input.fail(`at most ${LIMITS.fetchItems} names`)
      names.push(input.atom().toUpperCase())
      if (input.atEnd()) return names
      input.space()
      if (input.atEnd()) return names
    }
  },
  async run(names, session) {
    const done: string[] = []
    for (const name of new Set(names)) {
      const extension = session.grammar.enable.get(name)
      if (extension === undefined || session.enabled.has(name)) continue
      await extension.on(session)
      session.markEnabled(name)
      done.push(name)
    }
    session.out.raw('* ENABLED')
    for (const name of done) session.out.raw(' ').atom(name)
    session.out.endLine()
    return { kind: 'ok' }
  },
}
