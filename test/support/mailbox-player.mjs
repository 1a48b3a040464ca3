// A process that works on one mailbox for a while: delivers, flags and expunges its own messages, and tells what it did.
// node mailbox-player.mjs FORMAT PATH NAME ROUNDS; prints one JSON line { delivered, flagged, expunged }.
import { SystemFiles } from '../../dist/core/os/files.js'
import { nativeLocks } from '../../dist/core/os/native-locks.js'
import { MailTable } from '../../dist/core/mail/table/table.js'
import { Turns, uids } from '../../dist/core/api/index.js'

const [format = '', path = '', name = '', rounds = '0'] = process.argv.slice(2)
const silent = { debug() {}, info() {}, warn() {}, error() {} }
const folder = async (x, name, made) => {
  const { toldLocks } = await import('../../dist/plugins/formats/shared/locks/wait-lines.js')
  const format = (await import(`../../dist/plugins/formats/${name}/format.js`))[made]
  return new format({ ...x, locks: toldLocks({ files, clock, random, settings, logger: silent, machine: { host: 'mail.example.org', pid: process.pid } }) })
}
const file = async (x, name) => {
  const { FixedFormat } = await import('../../dist/plugins/formats/shared/fixed/format.js')
  const { fixedContext } = await import('../../dist/plugins/formats/shared/fixed/plugin.js')
  const dialect = (await import(`../../dist/plugins/formats/${name}/dialect.js`))[`${name}Dialect`]
  return new FixedFormat(dialect, fixedContext({ ...x, locks: settings, logger: silent }, { watch: false }))
}
const text = async (x, name) => {
  const { TextFormat } = await import('../../dist/plugins/formats/shared/text/format.js')
  const { textContext } = await import('../../dist/plugins/formats/shared/text/plugin.js')
  const { inlineLane } = await import('../../dist/core/os/lane.js')
  return new TextFormat(textContext({ name, title: name, delimiter: name === 'mmdf' ? '\x01\x01\x01\x01\n' : '' }, { ...x, random, locks: settings, logger: silent, host: { serverName: 'mail.example.org' }, lane: inlineLane({ files, clock, random }) }, { watch: false }))
}
const FORMATS = {
  unix: (x) => text(x, 'unix'),
  mmdf: (x) => text(x, 'mmdf'),
  mix: (x) => folder(x, 'mix', 'MixFormat'),
  mx: (x) => folder(x, 'mx', 'MxFormat'),
  mh: (x) => folder(x, 'mh', 'MhFormat'),
  mbx: (x) => file(x, 'mbx'),
  mtx: (x) => file(x, 'mtx'),
  tenex: (x) => file(x, 'tenex'),
}
const files = new SystemFiles(await nativeLocks())
const clock = {
  now: () => Date.now(),
  steady: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
const random = (n) => Uint8Array.from({ length: n }, () => Math.floor(256 * Math.random()))
const spool = {
  async take(item) {
    const chunks = []
    for await (const chunk of item.bytes) chunks.push(chunk)
    return { size: chunks.reduce((sum, c) => sum + c.length, 0), async *chunks() { yield* chunks }, async [Symbol.asyncDispose]() {} }
  },
}
const mailbox = {
  fileMode: 0o600, directoryMode: 0o700, stateDirectory: `${process.env.HOME}/state`, defaultKeywords: [], fromQuoting: 'all', checkpointDelayMs: 1000, durability: 'full', pollMs: 1000,
}
const settings = { dotlock: true, dotlockTimeoutMs: 300_000, dotlockMode: 0o666, lockDirectory: '/tmp', kernelLocks: ['fcntl', 'flock'], warnUnlocked: true }
const made = await FORMATS[format]({ files, clock, random, turns: new Turns(), spool, mailbox })
const place = { path, user: { name, kind: 'account', facts: {} }, fileMode: 0o600, directoryMode: 0o700 }
const signal = new AbortController().signal
const source = await made.open(place, signal)
const table = new MailTable({ ownModseqs: false, firstModseq: 1 })
async function edit(work) {
  const e = table.begin()
  try {
    const value = await work(e)
    e.commit()
    return value
  } catch (error) {
    e.drop()
    throw error
  }
}
const subjectOf = async (uid) => {
  for await (const batch of source.read(uids.one(uid), { bytes: 'whole', sections: [], facts: [] }, table.generation, signal)) {
    for (const m of batch) {
      const into = new Uint8Array(m.bytes.size)
      await m.bytes.read(0, into, signal)
      return /Subject: (.*)\r/.exec(Buffer.from(into).toString('latin1'))?.[1]
    }
  }
  return undefined
}
const delivered = []
const flagged = []
const expunged = []
const mine = new Map()
for (let n = 0; n < Number(rounds); n++) {
  const subject = `${name}-${n}`
  const body = `Subject: ${subject}\r\n\r\n${`text of ${subject}\r\n`.repeat(1 + (n % 40))}`
  const delivery = await made.append(place, signal)
  await delivery.add({ size: body.length, bytes: (async function* () { yield Buffer.from(body) })(), binary: false, system: 0, keywords: [], facts: new Map() }, signal)
  const result = n % 3 === 0 ? await delivery.commit(undefined, signal) : await edit((e) => delivery.commit({ source, edit: e }, signal))
  delivered.push(subject)
  const uid = result === undefined ? undefined : result.uids.ranges[0]
  await edit((e) => source.refresh(e, { claimRecent: n % 2 === 0 }, signal))
  if (uid === undefined) continue
  mine.set(uid, subject)
  const found = await subjectOf(uid)
  if (found !== subject) throw new Error(`uid ${uid} should be ${subject} and is ${found}`)
  await edit((e) => source.store({ uids: uids.one(uid), how: 'add', system: 4, keywords: [] }, e, signal))
  flagged.push(subject)
  if (n % 3 === 1) {
    const [old] = [...mine.keys()]
    await edit((e) => source.expunge(uids.one(old), { always: true }, e, signal))
    expunged.push(mine.get(old))
    mine.delete(old)
    if (n % 2 === 0) await source.reclaim?.(signal)
  }
}
await source.close()
process.stdout.write(`${JSON.stringify({ delivered, flagged, expunged })}\n`)
