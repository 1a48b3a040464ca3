import { describeMailboxDriver, describeMailboxFormat } from 'mailwright/testing'
import plugin from '../../plugins/formats/tenex/index.js'
import { tenexDialect } from '../../plugins/formats/tenex/dialect.js'
import { aboutOf } from '../support/about.js'
import { filesWith, fixedFormat } from '../support/fixed.js'

const about = aboutOf(plugin)

describeMailboxFormat('tenex', { about, create: (services) => fixedFormat(tenexDialect, services) })
describeMailboxDriver('files with tenex', filesWith('tenex', about, tenexDialect))
