import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { chosen, chosenEntries, chosenKnown, createToken, extensionPoint, LOGGER, nested, nestedList, noSettings, services, type Service } from '../../../core/api/index.js'
import { startKernel } from '../../../core/kernel/lifecycle/start.js'
import { kernelOptions, plugin, problemsOf, row } from '../../support/kernel.js'

interface Shape {
  readonly name: string
}
const shapes = extensionPoint<Shape>('test.shapes').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.shapes' })
const frames = extensionPoint<Shape, { readonly corners: number }>('test.frames').in({ scope: 'host', pick: 'one', roles: ['mail'], slot: 'hosts.*.frame' })
const extras = extensionPoint<Shape>('test.extras').in({ scope: 'host', pick: 'all', roles: ['mail'], slot: 'hosts.*.box.extensions' })
const points = [shapes, frames, extras, services]
const CENSUS = createToken<{ readonly count: number }>('census').in('host')
const STORE = createToken<{ readonly id: string }>('store').in('process')

const square = plugin('shape-square', (p) =>
  p.to(shapes).contribute({ name: 'square', settings: z.strictObject({ side: z.number().default(1) }), create: (s) => ({ name: `square ${s.side}` }) }),
)
const squareRow = (): ReturnType<typeof row> => row(square, ['test.shapes', 'square'])

describe('start', () => {
  test('imports only the built-in plugins that the configuration uses, each once', async () => {
    const used = squareRow()
    const unused = row(plugin('shape-circle', (p) => p.to(shapes).contribute({ name: 'circle', settings: noSettings, create: () => ({ name: 'circle' }) })), ['test.shapes', 'circle'])
    await using kernel = disposable(
      await startKernel(kernelOptions({ hosts: { default: { shapes: ['square', { use: 'square', side: 3 }] }, other: {} } }, { points, reading: points, builtins: [used, unused] })),
    )
    expect([used.loads, unused.loads]).toEqual([1, 0])
    expect(kernel.it.host('other')?.entries(shapes).map((e) => [e.name, e.plugin, e.path, e.made.name])).toEqual([
      ['square', 'shape-square', 'hosts.default.shapes[0]', 'square 1'],
      ['square', 'shape-square', 'hosts.default.shapes[1]', 'square 3'],
    ])
  })

  test('gives needs by name: services, the bare choices, and choices with name and about', async () => {
    const counting = plugin('core-census', (p) => {
      p.provide(STORE, { needs: { logger: LOGGER }, create: () => ({ id: 'store' }) })
      p.provide(CENSUS, {
        needs: { shapes: chosen(shapes), frame: chosen(frames), entries: chosenEntries(frames), store: STORE },
        create: (n) => {
          expect(n.shapes.map((s) => s.name)).toEqual(['square 1'])
          expect(n.frame.name).toBe('oak')
          expect(n.entries).toEqual([{ name: 'oak', plugin: 'frame-oak', about: { corners: 4 }, made: n.frame }])
          expect(n.store.id).toBe('store')
          return { count: n.shapes.length }
        },
      })
    })
    const oak = row(plugin('frame-oak', (p) => p.to(frames).contribute({ name: 'oak', settings: noSettings, about: { corners: 4 }, create: () => ({ name: 'oak' }) })), ['test.frames', 'oak'])
    await using kernel = disposable(
      await startKernel(kernelOptions({ hosts: { default: { shapes: ['square'], frame: 'oak' } } }, { points, always: [counting], builtins: [squareRow(), oak] })),
    )
    expect(kernel.it.host('default')?.get(CENSUS)).toEqual({ count: 1 })
    expect(kernel.it.process.get(STORE)).toBe(kernel.it.host('default')?.get(STORE))
  })

  test('nested choices are created from the settings of the entry that holds them', async () => {
    const stack = plugin('shape-stack', (p) =>
      p.to(shapes).contribute({
        name: 'stack',
        settings: z.strictObject({ gap: z.number() }),
        needs: { top: nested(shapes), rest: nestedList(shapes) },
        create: (s, n) => ({ name: [n.top, ...n.rest].map((x) => x.name).join(` +${s.gap} `) }),
      }),
    )
    const used = squareRow()
    const config = { hosts: { default: { shapes: [{ use: 'stack', gap: 2, top: { use: 'square', side: 7 }, rest: ['square', { use: 'square', side: 2 }] }] } } }
    await using kernel = disposable(await startKernel(kernelOptions(config, { points, reading: points, always: [stack], builtins: [used] })))
    expect(kernel.it.host('default')?.entries(shapes).map((e) => e.made.name)).toEqual(['square 7 +2 square 1 +2 square 2'])
    expect(await problemsOf(startKernel(kernelOptions({ hosts: { default: { shapes: [{ use: 'stack', gap: 2, top: { use: 'square', sid: 7 } }] } } }, { points, reading: points, always: [stack], builtins: [used] })))).toEqual([
      'CFG_UNKNOWN_KEY hosts.default.shapes[0].top.sid: unknown setting of shape "square"',
    ])
  })

  test('a point that takes all gets all that are loaded, less those left out; core cannot be left out', async () => {
    const extra = (name: string): ReturnType<typeof plugin> => plugin(`extra-${name}`, (p) => p.to(extras).contribute({ name, settings: noSettings, create: () => ({ name }) }))
    const builtins = ['a', 'b', 'c'].map((name) => row(extra(name), ['test.extras', name]))
    const options = (box: object): ReturnType<typeof kernelOptions> => kernelOptions({ hosts: { default: { box } } }, { points, reading: points, always: [extra('base')], builtins })
    await using kernel = disposable(await startKernel(options({ without: ['b'] })))
    expect(kernel.it.host('default')?.entries(extras).map((e) => e.name)).toEqual(['base', 'a', 'c'])
    expect(builtins[1]!.loads).toBe(0)
    expect(kernel.it.wiring.slots.find((s) => s.point === 'test.extras')?.off).toEqual([{ name: 'b', plugin: 'extra-b', why: 'left out by the configuration' }])
    await using listed = disposable(await startKernel(options({ extensions: ['c'] })))
    expect(listed.it.host('default')?.entries(extras).map((e) => e.name)).toEqual(['base', 'c'])
    expect(await problemsOf(startKernel(options({ without: ['base', 'd'] })))).toEqual([
      'CFG_CANNOT_BE_LEFT_OUT hosts.default.box.without[0]: "base" cannot be left out',
      'CFG_UNKNOWN_NAME hosts.default.box.without[1]: "d" is not known here',
    ])
  })

  test('what a process does nothing with is neither loaded nor created, and what the configuration names of it is checked', async () => {
    let created = 0
    const extra = (name: string): ReturnType<typeof plugin> =>
      plugin(`extra-${name}`, (p) =>
        p.to(extras).contribute({
          name,
          settings: z.strictObject({ size: z.number().default(1) }),
          create: () => {
            created++
            return { name }
          },
        }),
      )
    const builtins = ['a', 'b'].map((name) => row(extra(name), ['test.extras', name]))
    const options = (box: object): ReturnType<typeof kernelOptions> => kernelOptions({ hosts: { default: { box } } }, { points, reading: points, always: [extra('base')], builtins, unused: [extras] })
    await using kernel = disposable(await startKernel(options({})))
    expect(kernel.it.host('default')?.entries(extras)).toEqual([])
    expect(builtins.map((b) => b.loads)).toEqual([0, 0])
    await using named = disposable(await startKernel(options({ extensions: ['a'] })))
    expect(named.it.host('default')?.entries(extras)).toEqual([])
    expect(builtins.map((b) => b.loads)).toEqual([1, 0])
    expect(created).toBe(0)
    expect(await problemsOf(startKernel(options({ extensions: [{ use: 'a', size: 'x' }, { use: 'b', sise: 1 }, 'd'] })))).toEqual([
      'CFG_UNKNOWN_NAME hosts.default.box.extensions[2]: "d" is not known here',
      'CFG_SETTING hosts.default.box.extensions[0].size: invalid input: expected number, received string',
      'CFG_UNKNOWN_KEY hosts.default.box.extensions[1].sise: unknown setting of extra "b"',
    ])
    expect(await problemsOf(startKernel(options({ without: ['base', 'd'] })))).toHaveLength(2)
  })

  test('a point of which something asks what was chosen is in use, also where nothing of it is created', async () => {
    const extra = row(plugin('extra-a', (p) => p.to(extras).contribute({ name: 'a', settings: noSettings, create: () => ({ name: 'a' }) })), ['test.extras', 'a'])
    let known: readonly string[] = []
    const asking = plugin('core-asking', (p) => {
      p.provide(CENSUS, {
        needs: { extras: chosenKnown(extras) },
        create: (n) => {
          known = n.extras.map((e) => e.name)
          return { count: known.length }
        },
      })
    })
    await using kernel = disposable(await startKernel(kernelOptions({}, { points, reading: points, always: [asking], builtins: [extra], unused: [extras], roles: ['auth'] })))
    expect(known).toEqual(['a'])
    expect(kernel.it.host('default')?.entries(extras)).toEqual([])
  })

  test('reports everything that is wrong together', async () => {
    const wrong = plugin('core-wrong', (p) => {
      p.provide(createToken<object>('x').in('process'), { needs: { y: createToken<object>('y').in('process') }, create: () => ({}) })
      p.provide(createToken<object>('ring-a').in('host'), { needs: { b: RING_B }, create: () => ({}) })
      p.provide(RING_B, { needs: { a: createToken<object>('ring-a').in('host') }, create: () => ({}) })
      p.provide(CENSUS, { needs: { frame: chosen(frames) }, create: () => ({ count: 0 }) })
    })
    const config = { hosts: { default: { shapes: ['sqare', { use: 'square', sid: 1, side: 'x' }], nothing: 1 } } }
    expect(await problemsOf(startKernel(kernelOptions(config, { points, always: [wrong], builtins: [squareRow()] })))).toEqual([
      'CFG_UNKNOWN_KEY hosts.default.nothing: unknown setting',
      'CFG_UNKNOWN_NAME hosts.default.shapes[0]: "sqare" is not known here',
      'CFG_SETTING hosts.default.shapes[1].side: invalid input: expected number, received string',
      'CFG_UNKNOWN_KEY hosts.default.shapes[1].sid: unknown setting of shape "square"',
      'PLG_MISSING_SERVICE : plugin core-wrong, service x: needs the service "y", which no loaded plugin provides',
      'CFG_NOTHING_CHOSEN hosts.default.frame: plugin core-wrong, service census: needs a choice for hosts.*.frame',
      'PLG_CYCLE : plugin core-wrong, service ring-a: needs itself: service ring-a needs service ring-b needs service ring-a',
      'CFG_NOT_READ hosts.default.shapes: nothing in this server reads the point "test.shapes" yet',
    ])
  })

  test('a short name of two plugins needs its owner, even when only one is loaded', async () => {
    const other = row(plugin('shape-other', (p) => p.to(shapes).contribute({ name: 'square', settings: noSettings, create: () => ({ name: 'other' }) })), ['test.shapes', 'square'])
    const options = (use: string): ReturnType<typeof kernelOptions> => kernelOptions({ hosts: { default: { shapes: [use] } } }, { points, reading: points, always: [square], builtins: [other] })
    expect(await problemsOf(startKernel(options('square')))).toEqual(['CFG_AMBIGUOUS_NAME hosts.default.shapes[0]: "square" is offered by shape-other and shape-square'])
    await using kernel = disposable(await startKernel(options('shape-other/square')))
    expect(kernel.it.host('default')?.entries(shapes)[0]?.made.name).toBe('other')
  })
})

describe('creation', () => {
  const RING: string[] = []
  const closing = (name: string): Shape & AsyncDisposable => ({ name, async [Symbol.asyncDispose]() { RING.push(`close ${name}`) } })

  test('stops in reverse: services, hosts, process; each thing once', async () => {
    RING.length = 0
    const service = (name: string): Service => ({ async start() { RING.push(`start ${name}`) }, async stop() { RING.push(`stop ${name}`) } })
    const all = plugin('core-all', (p) => {
      p.provide(STORE, { create: () => ({ ...closing('store'), id: 'store' }) })
      p.to(shapes).contribute({ name: 'round', settings: z.strictObject({ id: z.string() }), needs: { store: STORE }, create: (s) => closing(s.id) })
      for (const name of ['one', 'two']) p.to(services).contribute({ name, settings: noSettings, create: () => service(name) })
    })
    const config = { services: ['one', 'two'], hosts: { default: { shapes: [{ use: 'round', id: 'a' }, { use: 'round', id: 'b' }] }, second: { shapes: [{ use: 'round', id: 'c' }] } } }
    const kernel = await startKernel(kernelOptions(config, { points, reading: points, always: [all] }))
    await kernel.stop()
    await kernel.stop()
    expect(RING).toEqual(['start one', 'start two', 'stop two', 'stop one', 'close c', 'close b', 'close a', 'close store'])
    expect(kernel.timing.steps.map((s) => s.name)).toEqual(['load and check', 'process', 'host default', 'host second', 'services'])
  })

  test('all failures are reported, what was created is closed, the plugin is named', async () => {
    RING.length = 0
    const bad = plugin('core-bad', (p) => {
      p.to(shapes).contribute({ name: 'good', settings: noSettings, create: () => closing('good') })
      p.to(shapes).contribute({ name: 'throws', settings: noSettings, create: () => { throw new Error('no luck') } })
      p.to(shapes).contribute({ name: 'lacks', settings: noSettings, create: async () => ({ name: String(await import(/* @vite-ignore */ ['left', 'pad', 'absent'].join('-'))) }) })
      p.provide(CENSUS, { needs: { shapes: chosen(shapes) }, create: () => ({ count: 0 }) })
    })
    const start = startKernel(kernelOptions({ hosts: { default: { shapes: ['good', 'throws', 'lacks'] } } }, { points, always: [bad] }))
    expect(await problemsOf(start)).toEqual([
      'PLG_CREATE_FAILED hosts.default.shapes[1]: plugin core-bad, hosts.default.shapes[1] (throws): no luck',
      'PLG_MISSING_DEPENDENCY hosts.default.shapes[2]: plugin core-bad, hosts.default.shapes[2] (lacks): needs the package left-pad-absent',
    ])
    expect(RING).toEqual(['close good'])
  })

  test('an optional entry may fail: the rest starts without it', async () => {
    const mixed = plugin('core-mixed', (p) => {
      p.to(shapes).contribute({ name: 'throws', settings: noSettings, create: () => { throw new Error('no luck') } })
      p.provide(CENSUS, { needs: { shapes: chosen(shapes) }, create: (n) => ({ count: n.shapes.length }) })
    })
    const entries = [{ use: 'throws', optional: true }, { use: 'unheard-of', optional: true }, { use: 'square', side: 'x', optional: true }, 'square']
    const options = kernelOptions({ hosts: { default: { shapes: entries } } }, { points, always: [mixed], builtins: [squareRow()] })
    await using kernel = disposable(await startKernel(options))
    expect(kernel.it.host('default')?.get(CENSUS)).toEqual({ count: 1 })
    expect(kernel.it.wiring.problems.map((p) => `${p.severity} ${p.code} ${p.path}`)).toEqual(['warning CFG_UNKNOWN_NAME hosts.default.shapes[1]', 'warning CFG_SETTING hosts.default.shapes[2].side'])
    expect(options.logger.events.map((e) => e.event)).toContain('start.optional-failed')
  })

  test('a step that hangs is given up by name, and what arrives late is closed', async () => {
    RING.length = 0
    let arrive: () => void = () => undefined
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve
    })
    const slow = plugin('core-slow', (p) => p.to(shapes).contribute({ name: 'slow', settings: noSettings, create: async () => { await arrived; return closing('late') } }))
    const problems = await problemsOf(startKernel(kernelOptions({ hosts: { default: { shapes: ['slow'] } } }, { points, reading: points, always: [slow], startTimeoutMs: 5 })))
    expect(problems).toEqual(['PLG_CREATE_FAILED hosts.default.shapes[0]: plugin core-slow, hosts.default.shapes[0] (slow): creating hosts.default.shapes[0] (slow) took longer than 5 ms'])
    arrive()
    await new Promise(setImmediate)
    expect(RING).toEqual(['close late'])
  })

  test('a thing that fails or hangs while it closes is logged and holds nothing up', async () => {
    RING.length = 0
    const bad = plugin('core-bad', (p) => {
      p.to(shapes).contribute({ name: 'good', settings: noSettings, create: () => closing('good') })
      p.to(shapes).contribute({ name: 'throws', settings: noSettings, create: () => ({ name: '', [Symbol.asyncDispose]: async () => { throw new Error('stuck') } }) })
      p.to(shapes).contribute({ name: 'hangs', settings: noSettings, create: () => ({ name: '', [Symbol.asyncDispose]: () => new Promise<void>(() => undefined) }) })
    })
    const options = kernelOptions({ hosts: { default: { shapes: ['good', 'throws', 'hangs'] } } }, { points, reading: points, always: [bad], stopTimeoutMs: 5 })
    const kernel = await startKernel(options)
    await kernel.stop()
    expect(RING).toEqual(['close good'])
    expect(options.logger.events.map((e) => [e.event, Reflect.get(e.facts ?? {}, 'at')])).toEqual([
      ['plugin.close-failed', 'core-bad: hosts.default.shapes[2] (hangs)'],
      ['plugin.close-failed', 'core-bad: hosts.default.shapes[1] (throws)'],
    ])
  })
})

const RING_B = createToken<object>('ring-b').in('host')

/** Stops a kernel at the end of a test. */
function disposable<K extends { stop(): Promise<void> }>(it: K): { readonly it: K } & AsyncDisposable {
  return { it, [Symbol.asyncDispose]: () => it.stop() }
}
