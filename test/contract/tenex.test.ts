import { describeMailboxDriver, describeMailboxFormat } from 'mailwright/testing'
import { tenexDialect } from '../../plugins/formats/tenex/dialect.js'
import { filesWith, fixedFormat } from '../support/fixed.js'

const about = { modseqs: false, keywords: 'fixed', uidsPersist: false, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false } as const

describeMailboxFormat('tenex', { about, create: (services) => fixedFormat(tenexDialect, services) })
describeMailboxDriver('files with tenex', filesWith('tenex', about, tenexDialect))
