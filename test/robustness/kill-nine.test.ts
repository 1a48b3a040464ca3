import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { LinkLost, RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

/**
 * A server process is killed while several clients write; then the mail is compared with what they were told. Each mailbox has a
 * writer that knows everything about it: it alone flags and removes, and several append and copy into the shared archive.
 */

/** Seconds of load, all rounds together, are a few with `npm test`, and minutes with MAILWRIGHT_LONG=1. */
const KILLS = LONG ? 60 : 4
const BOXES = ['one', 'two', 'three']
const ARCHIVE = 'archive'
const FLAGS = ['\\Seen', '\\Flagged', '\\Answered', '\\Draft', '$Mark']

/** A message as somebody was told that it is: subject and flags. */
interface Known {
  readonly subject: string
  readonly flags: readonly string[]
}
type State = ReadonlyMap<number, Known>
/** One mailbox and what its writer was told; `doubt` lists what the last command, which was not answered, may have led to. */
interface Box {
  readonly name: string
  known: Map<number, Known>
  doubt: readonly State[]
  /** Subject of an APPEND that was not answered. */
  appending: string | undefined
}
/** Copies that were acknowledged, by uid, and subjects whose copy was not answered. */
interface Archive {
  readonly known: Map<number, string>
  readonly doubt: string[]
}

let server: RunningServer
beforeEach(async () => {
  server = await startServer()
})
afterEach(() => server.remove())

const plain = (state: State): readonly (readonly [number, string, string])[] =>
  [...state].toSorted((a, b) => a[0] - b[0]).map(([uid, m]) => [uid, m.subject, m.flags.toSorted().join(' ')])
const same = (a: State, b: State): boolean => JSON.stringify(plain(a)) === JSON.stringify(plain(b))
const without = (state: State, uid: number): Map<number, Known> => new Map([...state].filter(([u]) => u !== uid))
/** Of very different sizes, each line says whose it is. */
function messageOf(subject: string): string {
  const n = Number(subject.slice(1))
  return `From: a@example.org\r\nSubject: ${subject}\r\n\r\n${`line of ${subject}\r\n`.repeat(1 + ((n * 37) % (n % 5 === 0 ? 20_000 : 200)))}`
}

async function stateOf(client: RawClient, mailbox: string): Promise<{ state: Map<number, Known>; uidValidity: string }> {
  const opened = await client.do(`EXAMINE ${mailbox}`)
  expect(opened.status, opened.text).toBe('OK')
  const uidValidity = /UIDVALIDITY (\d+)/.exec(opened.untagged.join('\n'))?.[1] ?? ''
  const count = Number(/^\* (\d+) EXISTS$/m.exec(opened.untagged.join('\n'))?.[1])
  const state = new Map<number, Known>()
  if (count > 0) {
    const got = await client.do('FETCH 1:* (UID FLAGS BODY.PEEK[])')
    expect(got.status, got.text).toBe('OK')
    for (const line of got.untagged) {
      const uid = /UID (\d+)/.exec(line)?.[1]
      const subject = /\r\nSubject: (\S+)\r\n/.exec(line)?.[1]
      if (uid === undefined || subject === undefined) continue
      const text = line.indexOf('}') + 3
      const length = Number(/\{(\d+)\}/.exec(line)?.[1])
      expect(line.slice(text, text + length) === messageOf(subject), `octets of ${subject} in ${mailbox}`).toBe(true)
      const flags = (/FLAGS \(([^)]*)\)/.exec(line)?.[1] ?? '').split(' ').filter((f) => f !== '' && f !== '\\Recent')
      state.set(Number(uid), { subject, flags })
    }
  }
  expect(state.size, `messages of ${mailbox}`).toBe(count)
  return { state, uidValidity }
}

/** Works until the link is lost. Whatever is not answered OK is a failure of its own. */
async function write(client: RawClient, box: Box, archive: Archive, random: () => number, names: () => string): Promise<number> {
  let done = 0
  const ok = async (command: string): Promise<string> => {
    const { status, text } = await client.do(command)
    expect(status, `${command}: ${text}`).toBe('OK')
    return text
  }
  try {
    await ok(`SELECT ${box.name}`)
    for (;; done++) {
      const pick = random()
      const list = [...box.known.keys()].toSorted((a, b) => a - b)
      const uid = list[Math.floor(random() * list.length)]
      const message = uid === undefined ? undefined : box.known.get(uid)
      if (pick < 0.45 || uid === undefined || message === undefined || list.length < 4) {
        const subject = (box.appending = names())
        const reply = await client.append(box.name, messageOf(subject), '(\\Seen)')
        expect(reply.status, reply.text).toBe('OK')
        box.known.set(Number(/APPENDUID \d+ (\d+)/.exec(reply.text)?.[1]), { subject, flags: ['\\Seen'] })
        box.appending = undefined
      } else if (pick < 0.75) {
        const flag = FLAGS[Math.floor(random() * FLAGS.length)] ?? ''
        const gone = message.flags.includes(flag)
        const flags = gone ? message.flags.filter((f) => f !== flag) : [...message.flags, flag]
        const after = new Map(box.known).set(uid, { ...message, flags })
        box.doubt = [after]
        await ok(`UID STORE ${uid} ${gone ? '-' : '+'}FLAGS.SILENT (${flag})`)
        box.known = after
      } else if (pick < 0.8) await ok('CHECK')
      else if (pick < 0.9) {
        archive.doubt.push(message.subject)
        const text = await ok(`UID COPY ${uid} ${ARCHIVE}`)
        archive.known.set(Number(/COPYUID \d+ \d+ (\d+)/.exec(text)?.[1]), message.subject)
        archive.doubt.splice(archive.doubt.indexOf(message.subject), 1)
      } else {
        const marked = new Map(box.known).set(uid, { ...message, flags: [...message.flags, '\\Deleted'] })
        // With those that a round before left marked.
        const after = new Map([...marked].filter(([, m]) => !m.flags.includes('\\Deleted')))
        box.doubt = [marked]
        await ok(`UID STORE ${uid} +FLAGS.SILENT (\\Deleted)`)
        box.known = marked
        box.doubt = [after]
        await ok('EXPUNGE')
        box.known = after
      }
      box.doubt = []
    }
  } catch (error) {
    if (!(error instanceof LinkLost)) throw error
    return done
  } finally {
    client.drop()
  }
}

/** The mailbox is as its writer knows it, or as the command that was not answered would leave it. */
function compare(box: Box, state: State): void {
  const more = [...state].filter(([uid, m]) => !box.known.has(uid) && m.subject === box.appending)
  expect(more.length, `copies of ${box.appending}, which was not acknowledged`).toBeLessThanOrEqual(1)
  const rest = more[0] === undefined ? state : without(state, more[0][0])
  if (!box.doubt.some((s) => same(s, rest))) expect(plain(rest), box.name).toEqual(plain(box.known))
}

describe('kill -9 under load', () => {
  test(`${KILLS} times: what was acknowledged is there, once, with its UID and flags, and the next server has to wait for nothing`, async () => {
    const random = randomOf(seedOf('kill -9'))
    let count = 0
    const names = (): string => `m${++count}`
    const setup = await RawClient.login(server.ports.imap, 'alice')
    const boxes: Box[] = BOXES.map((name) => ({ name, known: new Map(), doubt: [], appending: undefined }))
    const archive: Archive = { known: new Map(), doubt: [] }
    const validity = new Map<string, string>()
    for (const name of [...BOXES, ARCHIVE]) {
      expect((await setup.do(`CREATE ${name}`)).status).toBe('OK')
      validity.set(name, (await stateOf(setup, name)).uidValidity)
    }
    await setup.logout()
    let work = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const writers = await Promise.all(boxes.map(async (box) => ({ box, client: await RawClient.login(server.ports.imap, 'alice') })))
      const running = writers.map(({ box, client }) => write(client, box, archive, random, names))
      // Whoever fails before the kill is heard of after it.
      const outcome = Promise.allSettled(running)
      await pause(random() * 1200)
      await server.kill()
      for (const done of await outcome) {
        if (done.status === 'rejected') throw done.reason
        work += done.value
      }
      await server.again()
      const began = performance.now()
      const client = await RawClient.login(server.ports.imap, 'alice')
      for (const box of boxes) {
        const { state, uidValidity } = await stateOf(client, box.name)
        expect(uidValidity).toBe(validity.get(box.name))
        compare(box, state)
        box.known = state
        box.doubt = []
        box.appending = undefined
      }
      const { state, uidValidity } = await stateOf(client, ARCHIVE)
      expect(uidValidity).toBe(validity.get(ARCHIVE))
      for (const [uid, subject] of archive.known) expect(state.get(uid)?.subject, `${ARCHIVE} ${uid}`).toBe(subject)
      const more = [...state].filter(([uid]) => !archive.known.has(uid)).map(([, m]) => m.subject)
      for (const subject of more) {
        expect(archive.doubt, `copy that nobody asked for`).toContain(subject)
        archive.doubt.splice(archive.doubt.indexOf(subject), 1)
      }
      archive.doubt.length = 0
      for (const [uid, m] of state) archive.known.set(uid, m.subject)
      // Every mailbox can be written at once: a lock that was left behind would be waited for five minutes.
      for (const name of [...BOXES, ARCHIVE]) {
        const subject = names()
        const { status, text } = await client.append(name, messageOf(subject))
        expect(status, text).toBe('OK')
        const uid = Number(/APPENDUID \d+ (\d+)/.exec(text)?.[1])
        if (name === ARCHIVE) archive.known.set(uid, subject)
        else boxes.find((b) => b.name === name)?.known.set(uid, { subject, flags: [] })
      }
      await client.logout()
      expect(performance.now() - began).toBeLessThan(120_000)
    }
    expect(work).toBeGreaterThan(KILLS)
    await server.stop()
    expect((await readdir(server.home('alice'))).filter((name) => name.includes('.lock'))).toEqual([])
    expect((await readdir(join(server.home('alice'), '.mailwright', 'redo'))).filter((name) => name.endsWith('.lost'))).toEqual([])
  }, 1_800_000)

  test('in the middle of a rewrite: the lock names who is gone, the next server overrides it at once, says so, and finishes the work', async () => {
    const path = join(server.home('alice'), 'large')
    const text = 'a line of a large mailbox\n'.repeat(4000)
    await writeFile(path, Array.from({ length: 400 }, (_, n) => `From a@example.org Mon Nov 23 01:44:50 2026\nSubject: l${n}\n\n${text}\n`).join(''), { mode: 0o600 })
    // What a program of the c-client family would leave when it is killed: its post was not linked yet.
    const posts = [`large.lock.1700000000.${server.process.pid}.${hostname()}`, `large.lock.1700000000.1.elsewhere.example.org`]
    for (const post of posts) await writeFile(join(server.home('alice'), post), '')
    const client = await RawClient.login(server.ports.imap, 'alice')
    const opened = await client.do('SELECT large')
    expect(opened.status, opened.text).toBe('OK')
    expect((await client.do('UID STORE 1 +FLAGS (\\Deleted)')).status).toBe('OK')
    const lock = `${path}.lock`
    const killed = server.process.pid
    const expunge = client.do('EXPUNGE').catch((error: unknown) => error)
    while (!existsSync(lock)) await pause(1)
    await server.kill()
    expect(await expunge).toBeInstanceOf(LinkLost)
    expect((await readFile(lock, 'latin1')).split('\0')[0]).toBe(`${killed}:${hostname()}`)
    await server.again()
    const next = await RawClient.login(server.ports.imap, 'alice')
    const reply = await next.append('large', messageOf('m1'))
    expect(reply.status, reply.text).toBe('OK')
    expect(server.log()).toContain(`Mailbox ${path} lock of process ${killed}, which is gone, overridden`)
    const { untagged } = await next.do('EXAMINE large').then(() => next.do('FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])'))
    const subjects = untagged.flatMap((line) => /Subject: (\S+)/.exec(line)?.[1] ?? [])
    expect(subjects.slice(-400)).toEqual([...Array.from({ length: 399 }, (_, n) => `l${n + 1}`), 'm1'])
    await next.logout()
    // Its control socket is where the one of the killed server was.
    expect(await readFile(join(server.folder, 'run', 'mailwright.pid'), 'utf8')).toBe(`${server.process.pid}\n`)
    expect(server.log()).not.toContain('cannot reach this server')
    expect((await readdir(server.home('alice'))).filter((name) => name.startsWith('large.'))).toEqual([posts[1]])
  }, 300_000)
})
