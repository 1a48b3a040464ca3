import { describe, expect, test } from 'vitest'
import { createToken, extensionPoint, noSettings, type Plugin } from '../../../core/api/index.js'
import { declarationsOf } from '../../../core/kernel/registry/registrar.js'
import { Registry } from '../../../core/kernel/registry/registry.js'
import { plugin } from '../../support/kernel.js'

const shapes = extensionPoint<object>('test.shapes').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.shapes' })
const unknown = extensionPoint<object>('test.unknown').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.unknown' })
const SIZE = createToken<object>('size').in('host')
const thing = (name: string) => ({ name, settings: noSettings, create: () => ({}) })
const added = (registry: Registry, p: Plugin): string[] => registry.add(declarationsOf(p)).map((x) => `${x.code} ${x.message}`)

describe('registry', () => {
  test('refuses what another plugin has, and names that are none', () => {
    const registry = new Registry([shapes])
    expect(added(registry, plugin('one', (p) => {
      p.provide(SIZE, { create: () => ({}) })
      p.to(shapes).contribute(thing('a'))
      p.to(shapes).contribute(thing('a'))
      p.to(shapes).contribute(thing('A b'))
      p.to(shapes).contribute({ ...thing('wide'), roles: ['front'] })
    }))).toEqual([
      'PLG_DUPLICATE_NAME plugin one: contributes "a" to test.shapes twice',
      'PLG_BAD_NAME plugin one: "A b" at test.shapes is no short name',
      'PLG_WRONG_ROLE plugin one: "wide" at test.shapes widens the roles of the point',
    ])
    expect(added(registry, plugin('one', () => undefined))).toEqual(['PLG_DUPLICATE_ID plugin one: another plugin with this id is loaded'])
    expect(added(registry, plugin('two', (p) => {
      p.provide(SIZE, { create: () => ({}) })
      p.offer(extensionPoint<object>('test.mine').in({ scope: 'host', pick: 'all', roles: ['mail'], slot: 'hosts.*.shapes' }))
      p.offer(extensionPoint<object>('test.misplaced').in({ scope: 'process', pick: 'all', roles: ['mail'], slot: 'hosts.*.x' }))
    }))).toEqual([
      'PLG_DUPLICATE_POINT plugin two: point "test.mine" at hosts.*.shapes is taken by core (point "test.shapes" at hosts.*.shapes)',
      'PLG_BAD_SLOT plugin two: point "test.misplaced" of scope process cannot stand at hosts.*.x',
      'PLG_DUPLICATE_SERVICE plugin two: provides "size", which one provides already',
    ])
    expect(added(registry, plugin('Three', (p) => p.provide(createToken<object>('s').in('session'), { create: () => ({}) })))).toEqual([
      'PLG_BAD_NAME plugin Three: "Three" is no plugin id',
      'PLG_SESSION_SCOPE plugin Three: provides "s" in each session',
    ])
  })

  test('a point may be offered after it was contributed to, but before the freeze', () => {
    const registry = new Registry([shapes])
    registry.add(declarationsOf(plugin('early', (p) => p.to(unknown).contribute(thing('x')))))
    const other = new Registry([shapes])
    other.add(declarationsOf(plugin('early', (p) => p.to(unknown).contribute(thing('x')))))
    other.add(declarationsOf(plugin('owner', (p) => p.offer(unknown))))
    expect(registry.freeze().map((p) => p.code)).toEqual(['PLG_UNKNOWN_POINT'])
    expect(other.freeze()).toEqual([])
    expect(() => other.add(declarationsOf(plugin('late', () => undefined)))).toThrow('frozen')
  })

  test('declares in setup only', () => {
    let kept: (() => void) | undefined
    declarationsOf(plugin('sly', (p) => {
      kept = () => p.to(shapes).contribute(thing('x'))
    }))
    expect(kept).toThrow('plugin sly declares after its setup has ended')
    const asynchronous = { ...plugin('slow', () => undefined), setup: async () => undefined }
    expect(() => declarationsOf(asynchronous)).toThrow('setup is asynchronous')
  })

  test('says what was meant', () => {
    const registry = new Registry([shapes])
    registry.add(declarationsOf(plugin('one', (p) => p.to(shapes).contribute(thing('cram-md5')))))
    expect(registry.find('test.shapes', 'crammd5', [])).toEqual({ kind: 'missing', message: '"crammd5" is not known here', hint: 'did you mean "cram-md5"?' })
    expect(registry.find('test.shapes', 'xoauth', [{ plugin: 'two', name: 'plain' }])).toEqual({ kind: 'missing', message: '"xoauth" is not known here', hint: 'known here: cram-md5, plain' })
  })
})
