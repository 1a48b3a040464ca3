import { loginPolicies } from '../api/index.js'
import type { LoginPolicy } from '../api/index.js'
import type { HostView } from '../kernel/kernel.js'
import type { ControlAnswer } from './control.js'
import { table } from './terminal.js'

/** What the running server says to `blocks list` and `blocks clear KEY`. */
export function answerBlocks(hosts: Iterable<HostView>, request: `blocks ${string}`): ControlAnswer {
  const lists = [...hosts].flatMap((host) =>
    host.entries(loginPolicies).flatMap((entry) => {
      const made: LoginPolicy | undefined = entry.made
      return made?.blocks === undefined ? [] : [{ host: host.id, blocks: made.blocks }]
    }),
  )
  if (lists.length === 0) return { ok: false, text: 'no policy keeps anybody out: "auth.policies: [guard]" makes one' }
  const [, what, , key] = /^blocks (list|clear)( (.*))?$/.exec(request) ?? []
  if (what === 'clear') {
    const cleared = lists.reduce((sum, { blocks }) => sum + blocks.clear(key), 0)
    return { ok: true, text: cleared === 0 ? 'nobody was kept out' : `${cleared} let in again` }
  }
  const rows = lists.flatMap(({ host, blocks }) => blocks.list().map((b) => [host, b.rule, `${b.what} ${b.key}`, b.dryRun ? `${b.effect} (dry run)` : b.effect, b.evidence, `until ${new Date(b.until).toISOString()}`]))
  return { ok: true, text: rows.length === 0 ? 'nobody is kept out' : table(rows) }
}
