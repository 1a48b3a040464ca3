// The child of the `pam` backend over a libpam that lets everybody in and writes down what it is told, in the folder of its rules.
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { answerCalls } from '../../dist/plugins/auth/shared/children/called.js'
import { PamChecks } from '../../dist/plugins/auth/passwords/pam/checks.js'

answerCalls(async () => {
  let folder = ''
  let user = ''
  const step = (name) => {
    appendFileSync(join(folder, 'calls'), `${name} ${user}\n`)
    return 0
  }
  return new PamChecks({
    start(_service, who, where) {
      folder = where
      user = who
      return { code: 0, handle: 1n }
    },
    setRemoteHost: () => 0,
    authenticate: () => 0,
    account: () => 0,
    credentials: (_handle, what) => step(what),
    userOf: () => undefined,
    words: () => '',
    end: () => undefined,
  }).calls
})
