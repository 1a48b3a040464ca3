import { describeMailboxFormat, type KitServices } from 'mailwright/testing'
import { tenexDialect } from '../../plugins/formats/tenex/dialect.js'
import { FixedFormat } from '../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../plugins/formats/shared/fixed/plugin.js'

const about = { modseqs: false, keywords: 'fixed', uidsPersist: false, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false } as const

describeMailboxFormat('tenex', { about, create: (services: KitServices) => new FixedFormat(tenexDialect, fixedContext(services, { watch: true })) })
