import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readConfig } from '../../../core/config/config.js'
import { corePoints } from '../../../core/config/points.js'

const points = corePoints.map((p) => p.point)
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'))
})
afterAll(() => rm(folder, { recursive: true }))

const DOZEN = `version: 2
listners: {}
server:
  startTimeout: 30
listeners:
  imap: { protocol: imap4, port: 70000 }
  imaps: { protocol: imap4, port: 993, tls: ssl }
hosts:
  default:
    match: { addresses: [10.0.0.256] }
    auth:
      plaintext: sometimes
      machanisms: [plain]
    mailbox:
      fileMode: 9999
      poll: soon
    drivers: { use: [unix, { ues: mbx }], create: mbox }
    imap:
      timeouts:
        inactivity: 5m
        prelogn: 3m
`

describe('a file with mistakes', () => {
  test('every one of them is reported with its place', async () => {
    const file = join(folder, 'dozen.yaml')
    await writeFile(file, DOZEN)
    const plan = (await readConfig(file)).plan(points)
    expect(plan.problems.map((p) => `${p.line} ${p.code} ${p.path}`).toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))).toEqual([
      '1 CFG_VERSION version',
      '2 CFG_UNKNOWN_KEY listners',
      '4 CFG_SETTING server.startTimeout',
      '6 CFG_SETTING listeners.imap.port',
      '7 CFG_SETTING listeners.imaps.tls',
      '10 CFG_SETTING hosts.default.match.addresses[0]',
      '12 CFG_SETTING hosts.default.auth.plaintext',
      '13 CFG_UNKNOWN_KEY hosts.default.auth.machanisms',
      '15 CFG_SETTING hosts.default.mailbox.fileMode',
      '16 CFG_SETTING hosts.default.mailbox.poll',
      '17 CFG_BAD_ENTRY hosts.default.drivers.use[1]',
      '17 CFG_NOT_LISTED hosts.default.drivers.create',
      '20 CFG_SETTING hosts.default.imap.timeouts.inactivity',
      '21 CFG_UNKNOWN_KEY hosts.default.imap.timeouts.prelogn',
    ])
    expect(plan.problems.every((p) => p.file === file)).toBe(true)
    const hints = Object.fromEntries(plan.problems.filter((p) => p.code === 'CFG_UNKNOWN_KEY').map((p) => [p.path, p.hint]))
    expect(hints).toEqual({
      listners: 'did you mean "listeners"?',
      'hosts.default.auth.machanisms': 'did you mean "mechanisms"?',
      'hosts.default.imap.timeouts.prelogn': 'did you mean "prelogin"?',
    })
  })
})
