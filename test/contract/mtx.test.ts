import { describeMailboxFormat, type KitServices } from 'mailwright/testing'
import { mtxDialect } from '../../plugins/formats/mtx/dialect.js'
import { FixedFormat } from '../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../plugins/formats/shared/fixed/plugin.js'

const about = { modseqs: false, keywords: 'fixed', uidsPersist: false, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false } as const

describeMailboxFormat('mtx', { about, create: (services: KitServices) => new FixedFormat(mtxDialect, fixedContext(services, { watch: true })) })
