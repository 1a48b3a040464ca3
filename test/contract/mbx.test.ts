import type { Files } from 'mailwright/api'
import { describeMailboxDriver, describeMailboxFormat } from 'mailwright/testing'
import plugin from '../../plugins/formats/mbx/index.js'
import { mbxDialect } from '../../plugins/formats/mbx/dialect.js'
import { aboutOf } from '../support/about.js'
import { filesWith, fixedFormat } from '../support/fixed.js'

const about = aboutOf(plugin)

describeMailboxFormat('mbx', { about, create: (services) => fixedFormat(mbxDialect, services) })
describeMailboxDriver('files with mbx', filesWith('mbx', about, mbxDialect))
// As flags of many messages are changed.
describeMailboxFormat('mbx, flags ahead of the mailbox', { about, create: (services) => fixedFormat(mbxDialect, services, { aheadFrom: 1 }) })
// Some network file systems and FAT give a file no second name.
describeMailboxFormat('mbx without hard links', { about, create: (services) => fixedFormat(mbxDialect, { ...services, files: withoutLinks(services.files) }) })

function withoutLinks(files: Files): Files {
  return new Proxy(files, {
    get(from, key) {
      if (key === 'link') return () => Promise.reject(Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' }))
      const value: unknown = Reflect.get(from, key, from)
      return typeof value === 'function' ? value.bind(from) : value
    },
  })
}
