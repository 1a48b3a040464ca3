import { describeMailboxFormat, type KitServices } from 'mailwright/testing'
import { mmdfDialect } from '../../plugins/formats/mmdf/dialect.js'
import { mtxDialect } from '../../plugins/formats/mtx/dialect.js'
import { FixedFormat } from '../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../plugins/formats/shared/fixed/plugin.js'
import { unixDialect } from '../../plugins/formats/shared/text/dialect.js'
import { tenexDialect } from '../../plugins/formats/tenex/dialect.js'
import { expungingWhenFull, FullDisk } from '../support/full-disk.js'
import { storedIn, textFormat } from '../support/unix.js'

/*
 * The contract with a disk that is full whenever messages are expunged or flags are written: there is room for the plan of a change in steps, and for
 * a few octets of what it moves.
 */

const shared = { modseqs: false, hierarchy: false, watches: true, facts: [], manyProcesses: true } as const
const text = { ...shared, keywords: 'any', uidsPersist: true, acceptsUids: true } as const
const fixed = { ...shared, keywords: 'fixed', uidsPersist: false, acceptsUids: false } as const
const BLOCK = 512

const formats = [
  ...[unixDialect, mmdfDialect].map((dialect) => ({ name: dialect.name, about: text, stored: storedIn(dialect), free: 6, grows: true, create: (x: KitServices) => textFormat(dialect, x) })),
  ...[mtxDialect, tenexDialect].map((dialect) => ({ name: dialect.title, about: fixed, free: 3, grows: false, create: (x: KitServices) => new FixedFormat(dialect, fixedContext(x, { watch: true })) })),
]
for (const { name, free, grows, create, ...under } of formats) {
  describeMailboxFormat(`${name}, expunged on a full disk`, {
    ...under,
    create(services) {
      const disk = new FullDisk(services.files, BLOCK)
      return expungingWhenFull(disk, `${services.home}/.mailwright/redo`, { free, grows }, create({ ...services, files: disk.files }))
    },
  })
}
