import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../core/os/clock.js'
import { CallPool, type CallLimits } from '../../../plugins/auth/shared/children/call-pool.js'
import { never } from '../../support/auth.js'
import { run, type Ran } from '../../support/programs.js'

type Calls = {
  readonly echo: (value: unknown) => unknown
  readonly environment: (nothing: undefined) => Record<string, string>
  readonly pid: (nothing: undefined) => number
  readonly block: (ms: number) => number
  readonly crash: (nothing: undefined) => boolean
  readonly fail: (why: string) => void
  readonly keep: (nothing: undefined) => { readonly pid: number; readonly kept: number }
  readonly drop: (nothing: undefined) => { readonly pid: number; readonly kept: number }
  readonly start: (nothing: undefined) => number
}
const module_ = new URL('../../support/called-child.mjs', import.meta.url)
const made: CallPool<Calls>[] = []
function poolOf(limits: Partial<CallLimits> = {}, env: Readonly<Record<string, string>> = {}): CallPool<Calls> {
  const pool = new CallPool<Calls>({ name: 'library', module: module_, env }, { timeoutMs: 20_000, parallel: 2, ...limits }, systemClock)
  made.push(pool)
  return pool
}
afterEach(async () => {
  for (const pool of made.splice(0)) await pool[Symbol.asyncDispose]()
})
/** Whether it runs; what has ended may still wait for somebody who asks how. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
const outage = (text: string | RegExp): object => ({ kind: 'unavailable', message: expect.stringMatching(text) })

describe('calls that may block, in processes of their own', () => {
  test('values come and go as they are, octets among them', async () => {
    const value = { octets: Uint8Array.of(0, 255), text: 'é', list: [1, undefined, { deep: true }] }
    expect(await poolOf().call('echo', value, never)).toEqual(value)
  })
  test('a child has the environment that it is given, and nothing of the server', async () => {
    process.env['MAILWRIGHT_TEST_SECRET'] = 'x'
    const env = await poolOf({}, { KRB5_CONFIG: '/a' }).call('environment', undefined, never)
    delete process.env['MAILWRIGHT_TEST_SECRET']
    expect(env).toEqual({ PATH: '/usr/sbin:/usr/bin:/sbin:/bin', KRB5_CONFIG: '/a', cwd: '/' })
  })
  test('one that blocks holds up no other, and there are never more than allowed', async () => {
    const pool = poolOf()
    const slow = pool.call('block', 3_000, never)
    const quick = await Promise.all(Array.from({ length: 10 }, () => pool.call('pid', undefined, never)))
    expect(new Set(quick).size).toBe(1)
    expect(pool.pids).toHaveLength(2)
    expect(quick).not.toContain(await slow)
  })
  test('while all block, the others wait for their turn, at most as long as they may', async () => {
    const pool = poolOf({ timeoutMs: 1_500, parallel: 1 })
    await pool.call('pid', undefined, never)
    const started = performance.now()
    const slow = pool.call('block', 60_000, never)
    const answers = await Promise.allSettled([slow, pool.call('pid', undefined, never)])
    expect(answers).toMatchObject([1, 2].map(() => ({ status: 'rejected', reason: outage('no answer within 1500 ms') })))
    expect(performance.now() - started).toBeLessThan(10_000)
    // The child that does not answer is ended, and another one answers.
    expect(await pool.call('echo', 1, never)).toBe(1)
    await expect.poll(() => pool.pids.length).toBe(1)
  })
  test('what a child has started ends with it', async () => {
    const pool = poolOf()
    const pid = await pool.call('start', undefined, never)
    expect(isAlive(pid)).toBe(true)
    await pool[Symbol.asyncDispose]()
    await expect.poll(() => isAlive(pid)).toBe(false)
  })
  test('a child that crashes is an outage for who asked it, and the next is asked', async () => {
    const pool = poolOf()
    const before = await pool.call('pid', undefined, never)
    await expect(pool.call('crash', undefined, never)).rejects.toMatchObject(outage('its process ended \\(SIGSEGV\\)'))
    const after = await pool.call('pid', undefined, never)
    expect(after).not.toBe(before)
  })
  test('what a call throws is an outage with its words', async () => {
    await expect(poolOf().call('fail', 'no such thing', never)).rejects.toMatchObject(outage('^library: no such thing$'))
  })
  test('where the library is missing every call says so, and no process is started for each', async () => {
    const pool = poolOf({ parallel: 1 }, { MISSING: 'libpam.so.0' })
    for (let i = 0; i < 3; i++) await expect(pool.call('pid', undefined, never)).rejects.toMatchObject(outage('^library: there is no libpam\\.so\\.0$'))
    await expect.poll(() => pool.pids).toEqual([])
    await expect(pool.call('pid', undefined, never)).rejects.toMatchObject(outage('there is no libpam'))
    expect(pool.pids).toEqual([])
  })
  test('who asked may go; the call goes on, and its child is asked again', async () => {
    const pool = poolOf({ parallel: 1 })
    const pid = await pool.call('pid', undefined, never)
    const gone = new AbortController()
    const slow = pool.call('block', 300, gone.signal)
    gone.abort()
    await expect(slow).rejects.toMatchObject({ kind: 'cancelled' })
    expect(await pool.call('pid', undefined, never)).toBe(pid)
  })
})

describe('a process that has nothing else to do', () => {
  const program = (lines: string): Promise<Ran> =>
    run(process.execPath, ['--input-type=module', '-e', `
import { CallPool } from ${JSON.stringify(new URL('../../../dist/plugins/auth/shared/children/call-pool.js', import.meta.url).href)}
const clock = { steady: () => performance.now() }
const pool = new CallPool({ name: 'library', module: new URL(${JSON.stringify(module_.href)}), env: {} }, { timeoutMs: 20_000, parallel: 2 }, clock)
const never = new AbortController().signal
${lines}`])
  test('waits for answers, and for the end of its children', async () => {
    const { stdout, code } = await program(`console.log(await pool.call('block', 300, never) > 0)
console.log((await pool.callAndKeep('keep', undefined, never, () => undefined)).value.kept)
await pool[Symbol.asyncDispose]()
console.log('ended', pool.pids.length)`)
    expect([stdout, code]).toEqual(['true\n1\nended 0\n', 0])
  })
  test('is not kept by them, and they end with it', async () => {
    const { stdout, code } = await program(`console.log(await pool.call('pid', undefined, never))`)
    expect(code).toBe(0)
    await expect.poll(() => isAlive(Number(stdout))).toBe(false)
  })
})

describe('what a child keeps', () => {
  test('is asked of that child, however many there are', async () => {
    const pool = poolOf()
    const first = await pool.callAndKeep('keep', undefined, never, () => undefined)
    const slow = pool.call('block', 500, never)
    const second = await pool.callAndKeep('keep', undefined, never, () => undefined)
    expect(second.value.pid).not.toBe(first.value.pid)
    expect([await first.kept.call('drop', undefined), await second.kept.call('drop', undefined)]).toEqual([
      { pid: first.value.pid, kept: 0 },
      { pid: second.value.pid, kept: 0 },
    ])
    await slow
  })
  test('outlives a call that does not answer, until it is let go of', async () => {
    const pool = poolOf({ timeoutMs: 1_000, parallel: 1 })
    const { value, kept } = await pool.callAndKeep('keep', undefined, never, () => undefined)
    await expect(pool.call('block', 1_500, never)).rejects.toMatchObject(outage('no answer'))
    expect(await pool.call('pid', undefined, never)).not.toBe(value.pid)
    await expect.poll(() => kept.call('drop', undefined).catch(() => undefined), { timeout: 10_000 }).toMatchObject({ pid: value.pid })
    kept.letGo()
    kept.letGo()
    await expect.poll(() => isAlive(value.pid)).toBe(false)
  })
  test('is handed to whoever lets go of it, when nobody waits for it any more', async () => {
    const pool = poolOf({ parallel: 1 })
    await pool.call('pid', undefined, never)
    const gone = new AbortController()
    const late = new Promise<number>((resolve) => {
      void pool
        .callAndKeep('keep', undefined, gone.signal, ({ kept }, place) => {
          place.letGo()
          resolve(kept)
        })
        .catch(() => undefined)
      gone.abort()
    })
    expect(await late).toBe(1)
  })
})
