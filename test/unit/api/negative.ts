/**
 * Mistakes of plugin authors that must not compile. Nothing here runs: `tsc` reads it with the rest of the project, and an
 * `@ts-expect-error` without an error below it is itself an error.
 */
import { z } from 'zod'
import {
  chosen,
  createToken,
  delegate,
  type DriverAbout,
  type FetchPlan,
  type ImapExtension,
  LOGGER,
  mailboxFormats,
  type MailboxSource,
  mailDrivers,
  type MailStore,
  noSettings,
  type PluginSetup,
  type Row,
  saslMechanisms,
  sealCommand,
  sealModifier,
  type SelectPlan,
  type Seq,
  type TableEdit,
  type Token,
  type Uid,
  workarounds,
} from '../../../core/api/index.js'

declare const p: PluginSetup
const settings = noSettings
const about: DriverAbout = {
  modseqs: true,
  keywords: 'any',
  uidsPersist: true,
  hierarchy: true,
  watches: true,
  facts: [],
  manyProcesses: true,
  acceptsUids: true,
}
const aboutX = { name: 'X', verifiesBy: [], worksWith: [], offered: () => true } as const
const refuse = { authenticate: async () => ({ kind: 'disabled' }) as const }
const never = { reason: '', applies: () => true }
interface Locker {
  lock(path: string): Promise<void>
}
const LOCKER = createToken<Locker>('locker').in('process')
const SESSION_ID = createToken<string>('session').in('session')
// a token is filled by its owner type only, also after widening
// @ts-expect-error
p.provide(LOCKER, { create: () => 42 })
const wide: Token<unknown, 'process'> = LOCKER
// @ts-expect-error
p.provide(wide, { create: () => 42 })
// a host contribution cannot ask for a session's thing
// @ts-expect-error
p.to(workarounds).contribute({ name: 'x', settings, needs: { id: SESSION_ID }, create: () => never })
// a process service cannot be built from a host's choice
// @ts-expect-error
p.provide(LOCKER, { needs: { d: chosen(mailDrivers) }, create: () => ({ async lock() {} }) })
// what is created must be what the point holds, and the error stands at `create`
// @ts-expect-error
p.to(mailDrivers).contribute({ name: 'x', settings, about, create: () => ({ open() {} }) })
// a driver without a declaration of what it is
// @ts-expect-error
p.to(mailboxFormats).contribute({
  name: 'x',
  settings,
  create: () => {
    throw new Error()
  },
})
// a mechanism that does not say whether it shows the password
// @ts-expect-error
p.to(saslMechanisms).contribute({ name: 'x', settings, about: aboutX, create: () => refuse })
// an unknown dependency name
// @ts-expect-error
p.to(workarounds).contribute({ name: 'x', settings, needs: { log: LOGGER }, create: (_s, { logger }) => logger })
// settings are what the schema says
// @ts-expect-error
p.to(workarounds).contribute({ name: 'x', settings: z.strictObject({ a: z.number() }), create: (s) => ({ reason: s.b, applies: () => true }) })
// a required member is no ability: a layer cannot "forward" it by name, nor forget what it does not know
declare const store: MailStore, source: MailboxSource
// @ts-expect-error
delegate(store, ['append'], {})
// @ts-expect-error
delegate(source, ['bulkExpunge'], {})
delegate(source, ['search', 'watch'], {})
// a FETCH modifier is no SELECT parameter
// @ts-expect-error
const e: ImapExtension = { select: [sealModifier<FetchPlan, undefined>({ name: 'X', parse: () => undefined, apply() {} })] }
void e
const ok: ImapExtension = { select: [sealModifier<SelectPlan, undefined>({ name: 'X', parse: () => undefined, apply() {} })] }
void ok
// numbers of different kinds
declare const uid: Uid, seq: Seq, edit: TableEdit
// @ts-expect-error
const wrong: Uid = seq
// @ts-expect-error
edit.setFlags(uid, edit.flagSet(0, []))
// @ts-expect-error
const row: Row = edit.rows.find(1)
void [wrong, row]

// a command that may run without a selected mailbox cannot assume one
const shared = { name: 'X', uidForm: 'no', mayReportExpunge: true, parse: () => 1 } as const
sealCommand({ ...shared, states: ['selected'], run: async (_r, s) => ({ kind: 'ok', text: String(s.selected.rows.length + s.mail.mounts.length) }) })
// @ts-expect-error
sealCommand({ ...shared, states: ['authenticated', 'selected'], run: async (_r, s) => ({ kind: 'ok', text: String(s.selected.rows.length) }) })
// @ts-expect-error
sealCommand({ ...shared, states: ['not-authenticated'], run: async (_r, s) => ({ kind: 'ok', text: String(s.mail.mounts) }) })
