import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StartFailure } from '../../../core/api/index.js'
import { configOf } from '../../../core/config/config.js'
import { LogHub } from '../../../core/log/log-hub.js'
import { MailServer } from '../../../core/main/server.js'
import { LmtpClient } from '../../support/lmtp-client.js'

let folder = ''
let server: MailServer | undefined
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-listeners-'))
})
afterEach(async () => {
  await server?.stop()
  server = undefined
  await rm(folder, { recursive: true, force: true })
})

const withListeners = (listeners: object, host: object = {}): ReturnType<typeof configOf> => configOf({ version: 1, server: { name: 'mail.example.org', runDirectory: 'run' }, log: [], listeners, hosts: { default: host } }, folder)
const start = async (listeners: object, listen = true): Promise<MailServer> => MailServer.start({ source: withListeners(listeners), log: new LogHub({ write: () => undefined }), inherited: new Map(), listen })
/** Codes and places of what is wrong. */
async function faults(work: Promise<unknown>): Promise<readonly string[]> {
  const error: unknown = await work.then(
    () => undefined,
    (failure: unknown) => failure,
  )
  return error instanceof StartFailure ? error.problems.filter(({ severity }) => severity === 'error').map(({ code, path }) => `${code} ${path}`) : [String(error)]
}
const lmtp = { lmtp: { protocol: 'lmtp', unix: 'lmtp.sock' } }

describe('listeners of a configuration that is taken up', () => {
  const wrong = [
    { name: 'none', listeners: {}, host: {}, says: ['CFG_NO_LISTENER listeners'] },
    { name: 'a protocol that nobody serves', listeners: { ...lmtp, x: { protocol: 'lmtq', port: 0 } }, host: {}, says: ['CFG_UNKNOWN_NAME listeners.x.protocol'] },
    { name: 'a protocol that nobody serves, and other mistakes', listeners: { ...lmtp, x: { protocol: 'lmtq', port: -1 } }, host: { imap: { nonsense: 1 } }, says: ['CFG_SETTING listeners.x.port', 'CFG_UNKNOWN_KEY hosts.default.imap.nonsense', 'CFG_UNKNOWN_NAME listeners.x.protocol'] },
  ]
  test.each(wrong)('$name: refused with everything at once, and what is served goes on', async ({ listeners, host, says }) => {
    server = await start(lmtp)
    expect((await faults(server.reload(withListeners(listeners, host)))).toSorted()).toEqual(says)
    using client = await LmtpClient.greeted(join(folder, 'lmtp.sock'))
    expect(await client.say('NOOP\r\n')).toEqual(['250 2.0.0 done'])
  })
  test('commands that serve nobody need none', async () => {
    server = await start({}, false)
    expect(server.addresses).toEqual([])
  })
})
