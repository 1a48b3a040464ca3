import { describe, expect, test } from 'vitest'
import { ConnectionLost, DEFAULT_TWEAKS, MailError, ProtocolAbort, SyntaxFailure } from '../../../../core/api/index.js'
import type { ImapCompletion, MailSession, Tweaks } from '../../../../core/api/index.js'
import { OctetWriter } from '../../../../core/wire/imap/writer.js'
import { Idling } from '../../../../plugins/imap/idle/idling.js'
import { StillClock } from '../../../support/mail.js'

const MINUTE = 60_000
const timeouts = { preloginMs: 0, inactivityMs: 30 * MINUTE, inputMs: 0, alertMs: 0, shutdownMs: 0, idlePollMs: MINUTE, idleCheckpointMs: 15 * MINUTE }

/** A session in IDLE on a mailbox of two messages, whose client, clock and mailbox the test moves by hand. */
class Scene {
  readonly clock = new StillClock()
  readonly sent: string[] = []
  flushes = 0
  checkpoints = 0
  failNext: Error | undefined
  answer: (line: string) => void = () => undefined
  lose: (failure: Error) => void = () => undefined
  news: () => void = () => undefined
  readonly done: Promise<ImapCompletion>
  #waiting = 0

  constructor(tweaks: Partial<Tweaks>, selected = true) {
    const sent = this.sent
    const out = new OctetWriter({
      write(chunk) {
        sent.push(...Buffer.from(chunk).toString('latin1').split('\r\n').slice(0, -1))
        return true
      },
      drained: async () => undefined,
    })
    const view = {
      announced: 2,
      recentCount: 0,
      checkpoint: async () => {
        this.checkpoints++
        if (this.failNext !== undefined) throw this.failNext
      },
    }
    const session = {
      out,
      tweaks: { ...DEFAULT_TWEAKS, ...tweaks },
      signal: new AbortController().signal,
      selected: selected ? view : undefined,
      mail: { user: { kind: 'account' } },
      ask: (prompt: Uint8Array) => {
        out.raw('+ ').bytes(prompt).endLine()
        return new Promise<Uint8Array>((resolve, reject) => {
          this.answer = (line) => resolve(Buffer.from(line))
          this.lose = reject
        })
      },
      updates: {
        changed: () => {
          this.#waiting++
          out.flush()
          return new Promise<void>((resolve) => {
            this.news = resolve
          })
        },
        flush: async () => {
          this.flushes++
          out.flush()
          if (this.failNext !== undefined) throw this.failNext
        },
      },
    }
    // Idling uses these members of a session and no other.
    this.done = new Idling(session as unknown as MailSession, this.clock, timeouts, 'Autologout; idle for too long').run().finally(() => out.flush())
  }
  get waiting(): number {
    return this.#waiting
  }
  async pass(minutes: number): Promise<void> {
    for (let i = 0; i < minutes; i++) {
      this.clock.advance(MINUTE)
      await settled()
    }
  }
}
/** Lets everything run that is ready to. */
async function settled(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve()
}
const both = { idleNudgeMs: 2 * MINUTE, idlePhantomAfterMs: 29 * MINUTE }

describe('IDLE (RFC 2177)', () => {
  test('ends with DONE in any case, and says so', async () => {
    const scene = new Scene({})
    await settled()
    expect(scene.sent).toEqual(['+ Waiting for DONE'])
    scene.answer('done')
    expect(await scene.done).toEqual({ kind: 'ok' })
    expect(scene.clock.waiting).toBe(0)
  })
  test.each(['DONE!', '', 'a1 NOOP'])('%j is no end', async (line) => {
    const scene = new Scene({})
    scene.answer(line)
    expect(await scene.done).toEqual({ kind: 'bad', text: 'Bogus IDLE continuation' })
  })
  test('nor is a line that is too long', async () => {
    const scene = new Scene({})
    scene.lose(new SyntaxFailure(1024, 'a shorter line'))
    expect(await scene.done).toEqual({ kind: 'bad', text: 'Bogus IDLE continuation' })
  })
  test('looks at once, at news, and once a minute', async () => {
    const scene = new Scene({})
    await settled()
    expect([scene.flushes, scene.waiting]).toEqual([1, 1])
    scene.news()
    await settled()
    expect([scene.flushes, scene.waiting]).toEqual([2, 2])
    await scene.pass(3)
    expect(scene.flushes).toBe(5)
  })
  test('folds the mailbox after a quarter of an hour; a lock that is held is no failure', async () => {
    const scene = new Scene({})
    await settled()
    await scene.pass(14)
    expect(scene.checkpoints).toBe(0)
    await scene.pass(1)
    expect(scene.checkpoints).toBe(1)
    scene.answer('DONE')
    expect(await scene.done).toEqual({ kind: 'ok' })
  })
  test('without workarounds it is quiet and ends after half an hour', async () => {
    const scene = new Scene({})
    await settled()
    const end = scene.done.catch((failure: unknown) => failure)
    await scene.pass(30)
    expect(await end).toBeInstanceOf(ProtocolAbort)
    expect(scene.sent).toEqual(['+ Waiting for DONE'])
  })
  test('a failed look is told at the end, not before DONE', async () => {
    const scene = new Scene({})
    await settled()
    scene.failNext = new MailError('corrupt', 'no mailbox any more')
    await scene.pass(3)
    expect(scene.flushes).toBe(2)
    scene.answer('DONE')
    await expect(scene.done).rejects.toThrow('no mailbox any more')
  })
  test('a lost connection ends it', async () => {
    const scene = new Scene({})
    scene.lose(new ConnectionLost('gone'))
    await expect(scene.done).rejects.toThrow('gone')
    expect(scene.clock.waiting).toBe(0)
  })
})

describe('the 29th minute (FAQ 7.37)', () => {
  const keepalives = Array.from({ length: 15 }, (_, i) => `* OK Timeout in ${30 - 2 * i} minutes`)
  test('a client that idles on is told of one phantom, which is taken back', async () => {
    const scene = new Scene(both)
    await settled()
    await scene.pass(28)
    expect(scene.sent).toEqual(['+ Waiting for DONE', ...keepalives.slice(0, 14)])
    await scene.pass(1)
    expect(scene.sent.slice(15)).toEqual([keepalives[14], '* 3 EXISTS', '* 1 RECENT'])
    const flushes = scene.flushes
    scene.answer('DONE')
    expect(await scene.done).toEqual({ kind: 'ok' })
    expect(scene.sent.slice(18)).toEqual(['* 3 EXPUNGE', '* 2 EXISTS', '* 0 RECENT'])
    expect(scene.flushes).toBe(flushes)
  })
  test('news wait while the phantom stands, and it is told once more before the end', async () => {
    const scene = new Scene(both)
    await settled()
    await scene.pass(29)
    const flushes = scene.flushes
    scene.news()
    await settled()
    expect(scene.flushes).toBe(flushes)
    const end = scene.done.catch((failure: unknown) => failure)
    await scene.pass(1)
    expect(scene.sent.slice(-2)).toEqual(['* 3 EXISTS', '* 1 RECENT'])
    await scene.pass(1)
    expect(await end).toBeInstanceOf(ProtocolAbort)
  })
  test('without a mailbox there is no phantom', async () => {
    const scene = new Scene(both, false)
    await settled()
    const end = scene.done.catch((failure: unknown) => failure)
    await scene.pass(30)
    expect(await end).toBeInstanceOf(ProtocolAbort)
    expect(scene.sent.filter((line) => line.includes('EXISTS'))).toEqual([])
  })
})
