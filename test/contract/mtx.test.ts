import { describeMailboxDriver, describeMailboxFormat } from 'mailwright/testing'
import { mtxDialect } from '../../plugins/formats/mtx/dialect.js'
import { filesWith, fixedFormat } from '../support/fixed.js'

const about = { modseqs: false, keywords: 'fixed', uidsPersist: false, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false } as const

describeMailboxFormat('mtx', { about, create: (services) => fixedFormat(mtxDialect, services) })
describeMailboxDriver('files with mtx', filesWith('mtx', about, mtxDialect))
