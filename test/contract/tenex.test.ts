import { describeMailboxDriver, describeMailboxFormat } from 'mailwright/testing'
import plugin from '../../plugins/formats/tenex/index.js'
import { tenexDialect } from '../../plugins/formats/tenex/dialect.js'
import { aboutOf } from '../support/about.js'
import { filesWith, fixedFormat } from '../support/fixed.js'

const about = aboutOf(plugin)

describeMailboxFormat('tenex', { about, create: (services) => fixedFormat(tenexDialect, services) })
// As flags of many messages are changed.
describeMailboxFormat('tenex, flags ahead of the mailbox', { about, create: (services) => fixedFormat(tenexDialect, services, { aheadFrom: 1 }) })
describeMailboxDriver('files with tenex', filesWith('tenex', about, tenexDialect))
