import { encodeMailboxName } from 'mailwright/toolkit'
import type { ImapCommand, ImapWriter, Mount } from 'mailwright/api'

const CLASSES = ['personal', 'others', 'shared'] as const
interface Descriptor {
  readonly prefix: string
  readonly delimiter: string | undefined
}

/** Names of the three classes, from the user's mounts in their order (RFC 2342 §5). */
export const namespace: ImapCommand<undefined, 'authenticated' | 'selected'> = {
  name: 'NAMESPACE',
  states: ['authenticated', 'selected'],
  uidForm: 'no',
  mayReportExpunge: true,
  parse(input) {
    input.end()
    return undefined
  },
  async run(_request, session) {
    const { mail, signal, out } = session
    const groups: Descriptor[][] = []
    for (const of of CLASSES) groups.push(await describe(mail.mounts.filter((m) => m.advertised && m.class === of)))
    out.raw('* NAMESPACE')
    for (const group of groups) writeGroup(out, group, session.mode.utf8)
    out.endLine()
    return { kind: 'ok' }

    async function describe(mounts: readonly Mount[]): Promise<Descriptor[]> {
      const described: Descriptor[] = []
      for (const mount of mounts) {
        // One prefix is one namespace, however many stores serve it.
        if (described.every((d) => d.prefix !== mount.prefix)) described.push({ prefix: mount.prefix, delimiter: await mail.delimiterOf(mount, signal) })
      }
      return described
    }
  },
}

function writeGroup(out: ImapWriter, group: readonly Descriptor[], utf8: boolean): void {
  if (group.length === 0) {
    out.raw(' NIL')
    return
  }
  out.raw(' (')
  for (const { prefix, delimiter } of group) {
    // Strings in every case: RFC 2342 §5 allows no atom.
    out.raw('(').string(utf8 ? Buffer.from(prefix, 'utf8') : Buffer.from(encodeMailboxName(prefix), 'latin1'))
    if (delimiter === undefined) out.raw(' NIL)')
    else out.raw(' "').raw(delimiter === '"' || delimiter === '\\' ? `\\${delimiter}` : delimiter).raw('")')
  }
  out.raw(')')
}
