import { MailError, uids, type FlagChange, type StoredMessage, type TableEdit, type UidSet } from 'mailwright/api'
import { overlaid, type Defect } from './wrapping.js'

/** A driver with one defect, and the case that must find it. */
export interface BrokenDriver {
  readonly name: string
  readonly caughtBy: string
  readonly defect: Defect
}

/** The same message with other octets or another header size. */
function altered(m: StoredMessage, change: Partial<StoredMessage>): StoredMessage {
  return overlaid(m, change)
}
async function* mapped(batches: AsyncIterable<readonly StoredMessage[]>, change: (m: StoredMessage) => StoredMessage): AsyncIterable<readonly StoredMessage[]> {
  for await (const batch of batches) yield batch.map(change)
}
const never = new AbortController().signal

/** One defect each. The first ones are the flaws that lost mail in real servers. */
export const brokenDrivers: readonly BrokenDriver[] = [
  { name: 'forgets to sync contents', caughtBy: 'crash.dropped', defect: { rules: { syncs: false } } },
  { name: 'forgets to sync names', caughtBy: 'crash.data-only', defect: { rules: { syncsNames: false } } },
  { name: 'believes torn records', caughtBy: 'crash.torn', defect: { rules: { checksSums: false } } },
  { name: 'writes several messages one by one', caughtBy: 'crash.kept', defect: { rules: { oneRecordPerDelivery: false } } },
  {
    name: 'says done before it is',
    caughtBy: 'crash.kept',
    defect: {
      delivery: (inner) => ({
        async commit(open, signal) {
          void inner.commit(open, signal).catch(() => undefined)
          await undefined
          return undefined
        },
      }),
    },
  },
  {
    name: 'says that messages will be other octets than it gives out',
    caughtBy: 'append.will-be',
    defect: {
      delivery: (inner) => ({
        async add(item, signal) {
          await inner.add(item, signal)
          item.bytes.willBe?.(Uint8Array.of(0x61))
        },
      }),
    },
  },
  {
    name: 'swallows errors of a full disk',
    caughtBy: 'fault.enospc-lasting',
    defect: { file: (inner) => ({ write: (chunks, at) => inner.write(chunks, at).catch(() => undefined) }) },
  },
  {
    name: 'swallows errors of sync',
    caughtBy: 'fault.eio',
    defect: { file: (inner) => ({ sync: () => inner.sync().catch(() => undefined) }) },
  },
  { name: 'gives the uid of an expunged message again', caughtBy: 'uids.no-reuse', defect: { rules: { remembersUids: false } } },
  {
    name: 'begins a new UIDVALIDITY with each opening',
    caughtBy: 'uids.stable',
    defect: {
      source(inner) {
        const shift = Math.floor(Math.random() * 1e6) + 1
        return {
          async refresh(edit, how, signal) {
            await inner.refresh(edit, how, signal)
            edit.uidValidity += shift
          },
        }
      },
    },
  },
  { name: 'claims recent messages anew each time', caughtBy: 'recent.kept', defect: { rules: { writesClaims: false } } },
  {
    name: 'claims recent messages for who only looks',
    caughtBy: 'recent.unclaimed',
    defect: { source: (inner) => ({ refresh: (edit, _how, signal) => inner.refresh(edit, { claimRecent: true }, signal) }) },
  },
  {
    name: 'drops \\Answered',
    caughtBy: 'flags.each',
    defect: { source: (inner) => ({ store: (change, edit, signal) => inner.store({ ...change, system: change.system & ~8 }, edit, signal) }) },
  },
  {
    name: 'keeps flags in the table only',
    caughtBy: 'flags.kept',
    defect: {
      source: () => ({
        async store(change: FlagChange, edit: TableEdit): Promise<UidSet> {
          await undefined
          return edit.apply(change).refused
        },
      }),
    },
  },
  {
    name: 'changes flags whatever they were since',
    caughtBy: 'flags.unchanged-since',
    defect: {
      source: (inner) => ({
        store({ unchangedSince: _since, ...change }, edit, signal) {
          return inner.store(change, edit, signal)
        },
      }),
    },
  },
  { name: 'drops keywords', caughtBy: 'flags.keywords', defect: { source: (inner) => ({ store: (change, edit, signal) => inner.store({ ...change, keywords: [] }, edit, signal) }) } },
  { name: 'counts sizes one short', caughtBy: 'append.octets', defect: { edit: (inner) => ({ setSize: (row, octets) => inner.setSize(row, octets - 1) }) } },
  { name: 'forgets the zone of dates', caughtBy: 'append.attributes', defect: { edit: (inner) => ({ setDate: (row, ms) => inner.setDate(row, ms, 0) }) } },
  {
    name: 'quotes From lines and leaves them quoted',
    caughtBy: 'append.awkward',
    defect: {
      delivery: (inner) => ({
        add(item, signal) {
          async function* quoted(): AsyncIterable<Uint8Array> {
            for await (const chunk of item.bytes) yield Buffer.from(Buffer.from(chunk).toString('latin1').replaceAll('\nFrom ', '\n>From '), 'latin1')
          }
          return inner.add({ ...item, bytes: quoted() }, signal)
        },
      }),
    },
  },
  {
    name: 'delivers each message as soon as it has come',
    caughtBy: 'append.all-or-nothing',
    defect: {
      delivery: (inner) => ({
        async add(item, signal) {
          await inner.add(item, signal)
          await inner.commit(undefined, never)
          await inner.abort()
        },
      }),
    },
  },
  {
    name: 'expunges every \\Deleted message, asked for or not',
    caughtBy: 'expunge.deleted',
    defect: { source: (inner) => ({ expunge: (among, how, edit, signal) => inner.expunge(how.always ? among : uids.all, how, edit, signal) }) },
  },
  {
    name: 'expunges what is asked for, deleted or not',
    caughtBy: 'expunge.nothing',
    defect: { source: (inner) => ({ expunge: (among, _how, edit, signal) => inner.expunge(among, { always: true }, edit, signal) }) },
  },
  {
    name: 'reads parts from the beginning',
    caughtBy: 'read.partial',
    defect: {
      source: (inner) => ({
        read: (set, wants, rows, signal) => mapped(inner.read(set, wants, rows, signal), (m) => altered(m, { bytes: { size: m.bytes.size, read: (at, into, s) => (at > 100 ? m.bytes.read(0, into, s) : m.bytes.read(at, into, s)) } })),
      }),
    },
  },
  {
    name: 'ends the header a line early',
    caughtBy: 'read.header',
    defect: { source: (inner) => ({ read: (set, wants, rows, signal) => mapped(inner.read(set, wants, rows, signal), (m) => altered(m, { headerSize: m.headerSize - 2 })) }) },
  },
  {
    name: 'reads messages backwards',
    caughtBy: 'read.order',
    defect: {
      source: (inner) => ({
        async *read(set, wants, rows, signal) {
          const all: StoredMessage[] = []
          for await (const batch of inner.read(set, wants, rows, signal)) all.push(...batch)
          yield all.toReversed()
        },
      }),
    },
  },
  {
    name: 'reads by place in the mailbox, whatever stands there now',
    caughtBy: 'read.moved',
    defect: {
      source: (inner) => ({
        async *read(set, wants, rows, signal) {
          for await (const batch of inner.read(set, wants, rows, signal)) {
            yield batch.map((m) => {
              const place = rows.find(m.uid)
              const read: StoredMessage['bytes']['read'] = async (at, into, s) => {
                const nth: StoredMessage[] = []
                for await (const now of inner.read(uids.all, wants, rows, s)) nth.push(...now)
                const there = nth[place] ?? nth.at(-1)
                if (there === undefined) throw new MailError('vanished', 'it is gone')
                return await there.bytes.read(at, into, s)
              }
              return altered(m, { bytes: { size: m.bytes.size, read } })
            })
          }
        },
      }),
    },
  },
  {
    name: 'believes its stamp when only the size is the same',
    caughtBy: 'stamp.stale',
    defect: {
      source: (inner) => ({
        async refresh(edit, how, signal) {
          // Rows of as many messages as there are now are taken for right.
          if (edit.stamp !== undefined && edit.rows.length > 0) return
          await inner.refresh(edit, how, signal)
        },
      }),
    },
  },
  {
    name: 'believes rows under any stamp',
    caughtBy: 'stamp.garbage',
    defect: {
      source: (inner) => ({
        async refresh(edit, how, signal) {
          if (edit.rows.length > 0 && edit.stamp?.includes('/') !== true) return
          await inner.refresh(edit, how, signal)
        },
      }),
    },
  },
  {
    name: 'looks once and never again',
    caughtBy: 'foreign.seen',
    defect: {
      source(inner) {
        const seen = { once: false }
        return {
          async refresh(edit, how, signal) {
            if (seen.once) return
            seen.once = true
            await inner.refresh(edit, how, signal)
          },
        }
      },
    },
  },
  {
    name: 'takes no lock',
    caughtBy: 'foreign.at-once',
    defect: { file: () => ({ lock: () => 'locked', unlock: () => undefined }) },
  },
  { name: 'leaves files open', caughtBy: 'left.files', defect: { rules: { closes: false } } },
  {
    name: 'lists its own files too',
    caughtBy: 'names.list',
    defect: {
      store: (inner) => ({
        async *list(query, signal) {
          yield* inner.list(query, signal)
          yield [{ path: '.mailwright', selectable: true, children: 'no', inferiors: false, attributes: [] }]
          for await (const batch of inner.list(query, signal)) yield batch.slice(0, 1)
        },
      }),
    },
  },
  {
    name: 'renames over what exists',
    caughtBy: 'names.rename-onto',
    defect: {
      store: (inner) => ({
        async rename(from, to) {
          if ((await inner.find(to, never)) !== undefined) await inner.remove(to)
          await inner.rename(from, to)
        },
      }),
    },
  },
  {
    name: 'says that it took a message for a mailbox that is gone',
    caughtBy: 'names.gone-meanwhile',
    defect: { delivery: (inner) => ({ commit: (open, signal) => inner.commit(open, signal).catch(() => undefined) }) },
  },
  {
    name: 'leaves inferiors behind when it renames',
    caughtBy: 'names.hierarchy',
    defect: {
      store: (inner) => ({
        async rename(from, to) {
          if ((await inner.find(from, never)) !== undefined) await inner.rename(from, to)
        },
      }),
    },
  },
  { name: 'never calls who watches', caughtBy: 'watch.calls', defect: { source: () => ({ watch: () => ({ [Symbol.dispose]: () => undefined }) }) } },
  { name: 'forgets what a checkpoint was to write', caughtBy: 'checkpoint.writes', defect: { source: () => ({ checkpoint: () => Promise.resolve() }) } },
]
