import type { MailboxFormat } from '../../core/api/index.js'
import type { DriverUnderTest, KitServices } from '../../core/testing/driver-under-test.js'
import { driverOfFormat } from '../../core/testing/format-store.js'
import { mbxDialect } from '../../plugins/formats/mbx/dialect.js'
import { MhFormat } from '../../plugins/formats/mh/format.js'
import { mmdfDialect } from '../../plugins/formats/mmdf/dialect.js'
import { MixFormat } from '../../plugins/formats/mix/format.js'
import { mtxDialect } from '../../plugins/formats/mtx/dialect.js'
import { MxFormat } from '../../plugins/formats/mx/format.js'
import { FixedFormat } from '../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../plugins/formats/shared/fixed/plugin.js'
import { Turns } from '../../core/api/index.js'
import { tenexDialect } from '../../plugins/formats/tenex/dialect.js'
import { unixDialect } from '../../plugins/formats/shared/text/dialect.js'
import { toldLocks } from '../../plugins/formats/shared/locks/wait-lines.js'
import { textFormat } from './unix.js'

const anyKeyword = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false } as const
const oneFile = { ...anyKeyword, hierarchy: false } as const
const fixedKeywords = { ...oneFile, keywords: 'fixed', uidsPersist: false } as const

/** What the formats that lock one file or folder are made of. */
function folderContext({ files, clock, random, locks, mailbox, spool, logger }: KitServices) {
  return { files, clock, random, locks: toldLocks({ files, clock, random, settings: locks, logger, machine: { host: 'mail.example.org', pid: 1 } }), turns: new Turns(), spool, mailbox }
}
function driver(about: DriverUnderTest['about'], make: (services: KitServices) => MailboxFormat): DriverUnderTest {
  return { about, keeps: 'files', create: (services) => driverOfFormat(make(services), services) }
}

/** Every format that can be written, as a driver over the disk of the kit. */
export const formatDrivers = {
  unix: driver(oneFile, (services) => textFormat(unixDialect, services)),
  mmdf: driver(oneFile, (services) => textFormat(mmdfDialect, services)),
  mbx: driver(oneFile, (services) => new FixedFormat(mbxDialect, fixedContext(services, { watch: true }))),
  mtx: driver(fixedKeywords, (services) => new FixedFormat(mtxDialect, fixedContext(services, { watch: true }))),
  tenex: driver(fixedKeywords, (services) => new FixedFormat(tenexDialect, fixedContext(services, { watch: true }))),
  mx: driver(anyKeyword, (services) => new MxFormat(folderContext(services))),
  mix: driver(anyKeyword, (services) => new MixFormat(folderContext(services))),
  mh: driver(anyKeyword, (services) => new MhFormat(folderContext(services), { profile: '.mh_profile', path: services.home, allowInbox: false })),
} as const satisfies Record<string, DriverUnderTest>
