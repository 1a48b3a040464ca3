import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { LinkLost, RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

/** A message as somebody was told that it is: subject and flags. */
interface Known {
  readonly subject: string
  readonly flags: ReadonlySet<string>
}
/** One mailbox, its only writer, and what that writer was told. `doubt` lists the other states that the last, unanswered command may have led to. */
interface Writer {
  readonly mailbox: string
  readonly archive: string
  known: Map<number, Known>
  archived: Map<number, Known>
  uidValidity: string
  doubt: ((state: ReadonlyMap<number, Known>) => boolean) | undefined
  doubtArchived: boolean
}

const KILLS = LONG ? 40 : 4
const FLAGS = ['\\Seen', '\\Flagged', '\\Answered', '$Mark']
let server: RunningServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.remove())

const same = (a: ReadonlyMap<number, Known>, b: ReadonlyMap<number, Known>): boolean => JSON.stringify(plain(a)) === JSON.stringify(plain(b))
const plain = (state: ReadonlyMap<number, Known>): object => [...state].toSorted((a, b) => a[0] - b[0]).map(([uid, m]) => [uid, m.subject, [...m.flags].toSorted()])

async function stateOf(client: RawClient, mailbox: string): Promise<{ state: Map<number, Known>; uidValidity: string }> {
  const opened = await client.do(`EXAMINE ${mailbox}`)
  expect(opened.status, opened.text).toBe('OK')
  const uidValidity = /UIDVALIDITY (\d+)/.exec(opened.untagged.join('\n'))?.[1] ?? ''
  const state = new Map<number, Known>()
  if (!opened.untagged.includes('* 0 EXISTS')) {
    const got = await client.do('FETCH 1:* (UID FLAGS BODY.PEEK[])')
    expect(got.status).toBe('OK')
    for (const line of got.untagged) {
      const uid = /UID (\d+)/.exec(line)?.[1]
      const subject = /\r\nSubject: (\S+)\r\n/.exec(line)?.[1]
      if (uid === undefined || subject === undefined) continue
      const length = Number(/\{(\d+)\}/.exec(line)?.[1])
      expect(line.slice(line.indexOf('}') + 3, line.indexOf('}') + 3 + length)).toBe(messageOf(subject))
      const flags = (/FLAGS \(([^)]*)\)/.exec(line)?.[1] ?? '').split(' ').filter((f) => f !== '' && f !== '\\Recent')
      state.set(Number(uid), { subject, flags: new Set(flags) })
    }
  }
  return { state, uidValidity }
}
const messageOf = (subject: string): string =>
  `From: a@example.org\r\nSubject: ${subject}\r\n\r\n${`line of ${subject}\r\n`.repeat(1 + (subject.length * 7 + subject.charCodeAt(subject.length - 1)) % 200)}`

async function work(w: Writer, random: () => number, names: () => string): Promise<void> {
  const client = await RawClient.login(server.ports.imap, 'alice')
  try {
    await client.do(`SELECT ${w.mailbox}`)
    for (;;) {
      const pick = random()
      const list = [...w.known.keys()].toSorted((a, b) => a - b)
      const uid = list[Math.floor(random() * list.length)]
      if (pick < 0.45 || uid === undefined || list.length < 4) {
        const subject = names()
        const before = new Map(w.known)
        w.doubt = (state) => [...state.keys()].every((u) => before.has(u) || state.get(u)?.subject === subject) && same(new Map([...state].filter(([u]) => before.has(u))), before)
        const reply = await client.append(w.mailbox, messageOf(subject))
        expect(reply.status, reply.text).toBe('OK')
        w.known.set(Number(/APPENDUID \d+ (\d+)/.exec(reply.text)?.[1]), { subject, flags: new Set() })
      } else if (pick < 0.75) {
        const flag = FLAGS[Math.floor(random() * FLAGS.length)] ?? ''
        const message = w.known.get(uid)
        const after = new Map(w.known).set(uid, { subject: message?.subject ?? '', flags: new Set([...(message?.flags ?? []), flag]) })
        w.doubt = (state) => same(state, after)
        const reply = await client.do(`UID STORE ${uid} +FLAGS.SILENT (${flag})`)
        expect(reply.status, reply.text).toBe('OK')
        w.known = after
      } else if (pick < 0.9) {
        w.doubt = undefined
        w.doubtArchived = true
        const reply = await client.do(`UID COPY ${uid} ${w.archive}`)
        expect(reply.status, reply.text).toBe('OK')
        const message = w.known.get(uid)
        if (message !== undefined) w.archived.set(Number(/COPYUID \d+ \d+ (\d+)/.exec(reply.text)?.[1]), message)
        w.doubtArchived = false
      } else {
        const message = w.known.get(uid)
        const marked = new Map(w.known).set(uid, { subject: message?.subject ?? '', flags: new Set([...(message?.flags ?? []), '\\Deleted']) })
        const after = new Map(w.known)
        after.delete(uid)
        w.doubt = (state) => same(state, marked) || same(state, after)
        const flagged = await client.do(`UID STORE ${uid} +FLAGS.SILENT (\\Deleted)`)
        expect(flagged.status, flagged.text).toBe('OK')
        w.known = marked
        const reply = await client.do('EXPUNGE')
        expect(reply.status, reply.text).toBe('OK')
        w.known = after
      }
      w.doubt = undefined
    }
  } catch (error) {
    if (!(error instanceof LinkLost)) throw error
  } finally {
    client.drop()
  }
}

describe('kill -9 under load', () => {
  test(`${KILLS} times: what was acknowledged is there, once, with its UID and flags`, async () => {
    const random = randomOf(seedOf('kill -9'))
    let count = 0
    const names = (): string => `m${++count}`
    const setup = await RawClient.login(server.ports.imap, 'alice')
    const writers: Writer[] = []
    for (const mailbox of ['one', 'two', 'three']) {
      for (const name of [mailbox, `${mailbox}-archive`]) expect((await setup.do(`CREATE ${name}`)).status).toBe('OK')
      const { uidValidity } = await stateOf(setup, mailbox)
      writers.push({ mailbox, archive: `${mailbox}-archive`, known: new Map(), archived: new Map(), uidValidity, doubt: undefined, doubtArchived: false })
    }
    await setup.logout()
    for (let kill = 0; kill < KILLS; kill++) {
      const running = writers.map((w) => work(w, random, names))
      await pause(200 + random() * 1500)
      await server.kill()
      await Promise.all(running)
      await server.again()
      const client = await RawClient.login(server.ports.imap, 'alice')
      for (const w of writers) {
        const { state, uidValidity } = await stateOf(client, w.mailbox)
        expect(uidValidity).toBe(w.uidValidity)
        if (!same(state, w.known) && w.doubt?.(state) !== true) expect(plain(state)).toEqual(plain(w.known))
        w.known = state
        w.doubt = undefined
        const archive = (await stateOf(client, w.archive)).state
        for (const [uid, message] of w.archived) expect(archive.get(uid)?.subject).toBe(message.subject)
        expect(archive.size - w.archived.size).toBeLessThanOrEqual(w.doubtArchived ? 1 : 0)
        w.archived = archive
        w.doubtArchived = false
      }
      await client.logout()
    }
    expect(count).toBeGreaterThan(KILLS)
  }, 600_000)
})
