import { describeMailboxDriver, describeMailboxFormat } from 'mailwright/testing'
import plugin from '../../plugins/formats/mtx/index.js'
import { mtxDialect } from '../../plugins/formats/mtx/dialect.js'
import { aboutOf } from '../support/about.js'
import { filesWith, fixedFormat } from '../support/fixed.js'

const about = aboutOf(plugin)

describeMailboxFormat('mtx', { about, create: (services) => fixedFormat(mtxDialect, services) })
// As flags of many messages are changed.
describeMailboxFormat('mtx, flags ahead of the mailbox', { about, create: (services) => fixedFormat(mtxDialect, services, { aheadFrom: 1 }) })
describeMailboxDriver('files with mtx', filesWith('mtx', about, mtxDialect))
