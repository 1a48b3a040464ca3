import type { Files } from 'mailwright/api'
import { describeMailboxDriver, describeMailboxFormat, type KitServices } from 'mailwright/testing'
import { inlineLane } from '../../core/os/lane.js'
import { FilesDriver } from '../../plugins/drivers/files/store.js'
import { mbxDialect } from '../../plugins/formats/mbx/dialect.js'
import { FixedFormat } from '../../plugins/formats/shared/fixed/format.js'
import { fixedContext } from '../../plugins/formats/shared/fixed/plugin.js'

const about = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: true } as const

function mbxFormat(services: KitServices): FixedFormat {
  return new FixedFormat(mbxDialect, fixedContext({ ...services, lane: inlineLane(services) }, { watch: true }))
}

describeMailboxFormat('mbx', { about, create: mbxFormat })
// Some network file systems and FAT give a file no second name.
describeMailboxFormat('mbx without hard links', { about, create: (services) => mbxFormat({ ...services, files: withoutLinks(services.files) }) })

function withoutLinks(files: Files): Files {
  return new Proxy(files, {
    get(from, key) {
      if (key === 'link') return () => Promise.reject(Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' }))
      const value: unknown = Reflect.get(from, key, from)
      return typeof value === 'function' ? value.bind(from) : value
    },
  })
}

describeMailboxDriver('files with mbx', {
  about,
  keeps: 'files',
  create(services) {
    const { files, mailbox } = services
    const entry = { name: 'mbx', plugin: 'format-mbx', about, made: mbxFormat(services) }
    return new FilesDriver({ files, formats: [entry], choice: { create: 'mbx', empty: 'mbx' }, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false } })
  },
})
