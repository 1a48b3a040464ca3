import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { configOf } from '../../../core/config/config.js'
import { createToken, extensionPoint, HOST, LOGGER, noSettings } from '../../../core/api/index.js'
import type { Kernel } from '../../../core/kernel/kernel.js'
import type { KernelPlan } from '../../../core/kernel/plan.js'
import { startKernel } from '../../../core/kernel/lifecycle/start.js'
import { kernelOptions, plugin, problemsOf, row } from '../../support/kernel.js'

interface Shape {
  readonly name: string
}
const shapes = extensionPoint<Shape>('test.shapes').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.shapes' })
const inks = extensionPoint<Shape>('test.inks').in({ scope: 'process', pick: 'ordered', roles: ['mail'], slot: 'inks' })
const LATE = createToken<{ readonly id: number }>('late').in('process')
const SHARED = createToken<{ readonly id: number }>('shared').in('process')

let made: string[] = []
let closed: string[] = []
let running: Kernel<KernelPlan> | undefined
afterEach(async () => {
  await running?.stop()
  made = []
  closed = []
})

const round = plugin('core-round', (p) => {
  let shared = 0
  p.provide(SHARED, { create: () => ({ id: ++shared }) })
  p.to(inks).contribute({ name: 'black', settings: z.strictObject({ shade: z.number().default(1) }), create: () => ({ name: 'black' }) })
  p.to(shapes).contribute({
    name: 'round',
    settings: z.strictObject({ id: z.string() }),
    needs: { host: HOST, shared: SHARED },
    create(s, n) {
      if (s.id === 'bad') throw new Error('no luck')
      made.push(`${n.host.id} ${s.id}`)
      return { name: s.id, async [Symbol.asyncDispose]() { closed.push(`${n.host.id} ${s.id}`) } }
    },
  })
})
const lateRow = row(
  plugin('shape-late', (p) => {
    p.provide(LATE, { needs: { logger: LOGGER }, create: () => ({ id: 1, async [Symbol.asyncDispose]() { closed.push('late') } }) })
    p.to(shapes).contribute({ name: 'late', settings: noSettings, needs: { late: LATE }, create: (_s, n) => ({ name: `late ${n.late.id}` }) })
  }),
  ['test.shapes', 'late'],
)
const options = (hosts: object, more: object = {}): ReturnType<typeof kernelOptions> =>
  kernelOptions({ hosts, ...more }, { points: [shapes, inks], reading: [shapes, inks], always: [round], builtins: [lateRow] })
const host = (id: string): object => ({ shapes: [{ use: 'round', id }] })
const source = (hosts: object, more: object = {}): ReturnType<typeof configOf> => configOf({ hosts, ...more }, '/nowhere')

describe('reload', () => {
  test('keeps hosts whose part of the plan is the same, replaces, adds and removes the others', async () => {
    const kernel = (running = await startKernel(options({ default: host('d'), same: host('s'), other: host('o'), gone: host('g') })))
    const before = Object.fromEntries(['default', 'same', 'other', 'gone'].map((id) => [id, kernel.host(id)]))
    const answer = await kernel.reload(source({ default: host('d'), same: host('s'), other: host('o2'), fresh: host('f') }))
    expect(answer).toEqual({ kept: ['default', 'same'], changed: ['other'], added: ['fresh'], removed: ['gone'], restart: [], warnings: [] })
    expect(kernel.host('same')).toBe(before['same'])
    expect(kernel.host('other')?.generation).toBe(2)
    expect([...kernel.hosts.keys()]).toEqual(['default', 'same', 'other', 'fresh'])
    expect(made.slice(4)).toEqual(['other o2', 'fresh f'])
    await new Promise(setImmediate)
    expect(closed.toSorted()).toEqual(['gone g', 'other o'])
    expect(kernel.host('other')?.get(SHARED)).toBe(before['same']?.get(SHARED))
  })

  test('sessions keep the host they hold until they give it back', async () => {
    const kernel = (running = await startKernel(options({ default: host('d') })))
    const held = kernel.host('default')!
    const first = held.hold()
    const second = held.hold()
    await kernel.reload(source({ default: host('d2') }))
    expect(held.entries(shapes)[0]?.made.name).toBe('d')
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    await new Promise(setImmediate)
    expect(closed).toEqual([])
    second[Symbol.dispose]()
    await new Promise(setImmediate)
    expect(closed).toEqual(['default d'])
  })

  test('a reload with problems changes nothing', async () => {
    const kernel = (running = await startKernel(options({ default: host('d'), other: host('o') })))
    const plan = kernel.plan
    const before = [...kernel.hosts.values()]
    expect(await problemsOf(kernel.reload(source({ default: { shapes: ['unheard-of'], x: 1 } })))).toEqual([
      'CFG_UNKNOWN_KEY hosts.default.x: unknown setting',
      'CFG_UNKNOWN_NAME hosts.default.shapes[0]: "unheard-of" is not known here',
    ])
    expect(await problemsOf(kernel.reload(source({ default: host('d2'), other: host('bad') })))).toEqual([
      'PLG_CREATE_FAILED hosts.other.shapes[0]: plugin core-round, hosts.other.shapes[0] (round): no luck',
    ])
    expect([...kernel.hosts.values()]).toEqual(before)
    expect(kernel.plan).toBe(plan)
    expect(closed).toEqual(['default d2'])
  })

  test('a plugin that is new may bring services of the process; they go with the process', async () => {
    const kernel = (running = await startKernel(options({ default: host('d') })))
    await kernel.reload(source({ default: host('d'), second: { shapes: ['late'] } }))
    expect(kernel.host('second')?.entries(shapes)[0]?.made.name).toBe('late 1')
    await kernel.stop()
    expect(closed).toEqual(['default d', 'late'])
  })

  test('what only a restart can change is named', async () => {
    const kernel = (running = await startKernel(options({ default: host('d') }, { inks: ['black'] })))
    const answer = await kernel.reload(source({ default: host('d') }, { inks: [{ use: 'black', shade: 2 }], server: { stopTimeout: '1s', drainTimeout: '2s' } }))
    expect(answer).toMatchObject({ kept: ['default'], restart: ['inks', 'server.stopTimeout'] })
  })
})
