import { describeMailboxDriver } from 'mailwright/testing'
import { MemoryDriver } from '../../plugins/drivers/memory/store.js'

describeMailboxDriver('memory', {
  about: { modseqs: true, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: false, acceptsUids: true },
  keeps: 'nothing',
  create: ({ clock }) => new MemoryDriver(() => clock.now()),
})
