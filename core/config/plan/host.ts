import { resolve } from 'node:path'
import type { z } from 'zod'
import { AUTH_SETTINGS, COMPAT_SETTINGS, FORMAT_CHOICE, HOST, IMAP_SETTINGS, LOCK_SETTINGS, MAILBOX_SETTINGS, POP3_SETTINGS } from '../../api/host.js'
import type { OwnToken } from '../../api/kernel.js'
import { mailboxFormats } from '../../api/mail/format.js'
import type { SecretSource } from '../../api/settings.js'
import { corePoints } from '../points.js'
import { authSettings } from '../schema/auth.js'
import { lockSettings } from '../schema/files.js'
import { imapSettings } from '../schema/imap.js'
import { mailboxSettings } from '../schema/mailbox.js'
import { pop3Settings } from '../schema/pop3.js'
import { hostSections } from '../schema/sections.js'
import { keysOf, nearest, valueOf, type MapNode } from '../tree.js'
import type { Faults } from './faults.js'
import type { Place } from './places.js'
import type { CertificatePlan, ConfigPart, HostPlan, TlsPlan } from './types.js'
import { walk, type Walked } from './walk.js'

type Given = ConfigPart['given'][number]

/** A host that was read, with its sections for `explain`. */
export interface ReadHost {
  readonly plan: HostPlan
  readonly walked: Walked
}

/** One virtual host, merged with `default` already. */
export function readHost(id: string, node: MapNode | undefined, places: Place, machine: { readonly name: string; readonly folder: string }, faults: Faults): ReadHost {
  const walked = walk(places, node, `hosts.${id}`, fallbackOf, machine.folder, faults)
  const section = <K extends keyof typeof hostSections>(key: K): z.output<(typeof hostSections)[K]> =>
    // walk() put the output of exactly this schema under this key.
    walked.sections.get(key)?.value as z.output<(typeof hostSections)[K]>
  const resolveIn = (key: keyof typeof hostSections) => (setting: string, path: string) => {
    const map = walked.sections.get(key)?.node
    const said = map === undefined ? undefined : nearest(map, keysOf(setting))
    return resolve(said?.exact === true ? said.node.at.folder : machine.folder, path)
  }
  const match = section('match')
  const serverName = match.names.find((name) => !name.startsWith('*.')) ?? machine.name
  const { create, empty } = section('drivers')
  checkFormats(walked, { create, empty }, faults)
  const given: Given[] = [
    give(HOST, { id, serverName }),
    give(MAILBOX_SETTINGS, mailboxSettings(section('mailbox'))),
    give(LOCK_SETTINGS, lockSettings(section('files'), resolveIn('files'))),
    give(FORMAT_CHOICE, { create, empty }),
    give(IMAP_SETTINGS, imapSettings(section('imap'), resolveIn('imap'))),
    give(POP3_SETTINGS, pop3Settings(section('pop3'))),
    give(COMPAT_SETTINGS, section('compat')),
    give(AUTH_SETTINGS, authSettings(section('auth'))),
  ]
  return {
    walked,
    plan: {
      id,
      slots: walked.slots,
      given,
      said: { host: node === undefined ? {} : valueOf(node), folder: node?.at.folder ?? machine.folder },
      serverName,
      match: { addresses: match.addresses, names: match.names.map((n) => n.toLowerCase()), domains: match.domains.map((d) => d.toLowerCase()) },
      tls: tlsPlan(section('tls'), resolveIn('tls')),
    },
  }
}

/** Default of a core point. */
export function fallbackOf(point: string): readonly string[] | undefined {
  return corePoints.find((p) => p.point.id === point)?.fallback
}

function tlsPlan(tls: z.output<typeof hostSections.tls>, absolute: (setting: string, path: string) => string): TlsPlan {
  const { certificate, key, also, byAddress, byAddressName, ...rest } = tls
  const path = (setting: 'byAddressKeys' | 'status' | 'selfSigned' | 'clientAuthority'): string | undefined => {
    const said = tls[setting]
    return said === undefined ? undefined : absolute(setting, said)
  }
  const files = (pair: { readonly certificate: string; readonly key?: SecretSource | undefined }, above: string): CertificatePlan => ({
    certificate: absolute(`${above}certificate`, pair.certificate),
    key: pair.key === undefined ? undefined : absoluteSecret(pair.key, (said) => absolute(`${above}key`, said)),
  })
  return {
    ...rest,
    certificates: certificate === undefined ? [] : [files({ certificate, key }, ''), ...also.map((pair, i) => files(pair, `also[${i}].`))],
    byAddress: byAddress === undefined ? undefined : { certificates: absolute('byAddress', byAddress), keys: path('byAddressKeys'), name: byAddressName },
    status: path('status'),
    selfSigned: path('selfSigned'),
    clientAuthority: path('clientAuthority'),
    ciphers: tls.ciphers,
    curves: tls.curves,
  }
}

function give<T>(token: OwnToken<T>, value: T): Given {
  return { token, value }
}

function absoluteSecret(source: SecretSource, absolute: (path: string) => string): SecretSource {
  return 'file' in source ? { file: absolute(source.file) } : source
}

/** New and empty mailboxes must be of a format that is in use. */
function checkFormats(walked: Walked, chosen: { readonly create: string; readonly empty: string }, faults: Faults): void {
  const use = walked.slots.find((slot) => slot.point === mailboxFormats.id)
  if (use === undefined) return
  const names = (use.entries ?? []).map((entry) => entry.use.slice(entry.use.indexOf('/') + 1))
  const drivers = walked.sections.get('drivers')
  for (const key of ['create', 'empty'] as const) {
    const name = chosen[key]
    if (names.includes(name)) continue
    const message = `"${name}" is not in the list "use"`
    const hint = names.length === 0 ? undefined : `one of: ${names.join(', ')}`
    if (drivers?.node === undefined) faults.path(`${drivers?.path ?? 'drivers'}.${key}`, 'CFG_NOT_LISTED', message, hint)
    else faults.below(drivers.node, `.${key}`, 'CFG_NOT_LISTED', message, hint)
  }
}
