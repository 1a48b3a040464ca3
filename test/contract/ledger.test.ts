import { describeMailboxDriver } from 'mailwright/testing'
import { createLedgerDriver } from '../support/ledger-driver.js'

describeMailboxDriver('ledger', {
  about: { modseqs: true, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: true, acceptsUids: false },
  keeps: 'files',
  create: (services) => createLedgerDriver(services),
})
