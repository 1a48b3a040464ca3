import { describe, expect, test } from 'vitest'
import { createToken } from '../../../core/api/index.js'
import { inject, injectable } from '../../../core/kernel/container/inject.js'
import { ContainerScope } from '../../../core/kernel/container/scope.js'

const NAME = createToken<{ readonly name: string }>('name').in('process')
const COUNT = createToken<number>('count').in('host')
const policy = { deadlineMs: 1_000, failed: (name: string, cause: unknown) => expect.unreachable(`${name}: ${String(cause)}`) }

@injectable()
class Greeter {
  readonly text: string
  constructor(@inject(NAME) name: { readonly name: string }, @inject(COUNT) count: number) {
    this.text = `${name.name} ${count}`
  }
}

@injectable()
export class Mistaken {
  // @ts-expect-error a number is no name: the error stands at the decorator
  constructor(@inject(COUNT) readonly name: string) {}
}

describe('ContainerScope', () => {
  test('a child sees its parent, and siblings see nothing of each other', async () => {
    const root = ContainerScope.root('process')
    root.put(NAME, { name: 'alice' })
    const one = root.child('one')
    const two = root.child('two')
    one.put(COUNT, 1)
    two.put(COUNT, 2)
    expect([one.build(Greeter).text, two.build(Greeter).text]).toEqual(['alice 1', 'alice 2'])
    expect(root.has(COUNT)).toBe(false)
    expect(() => root.get(COUNT)).toThrow('nothing provides "count" in scope process')
    await root.close(policy)
  })

  test('closes children first and its own things in reverse, each once', async () => {
    const closed: string[] = []
    const closer = (name: string) => ({ name, close: () => void closed.push(name) })
    const root = ContainerScope.root('process')
    root.put(NAME, { name: 'x' }, closer('name'))
    root.onClose(closer('second'))
    const child = root.child('host')
    child.put(COUNT, 1, closer('count'))
    child.onClose(closer('last'))
    await Promise.all([root.close(policy), root.close(policy), child.close(policy)])
    expect(closed).toEqual(['last', 'count', 'second', 'name'])
    expect(() => root.child('late')).toThrow('scope process is closed')
  })

  test('a thing that hangs is told so and given up, the others are closed', async () => {
    const heard: string[] = []
    const root = ContainerScope.root('process')
    root.onClose({ name: 'good', close: () => void heard.push('good closed') })
    root.onClose({ name: 'hangs', close: (signal) => new Promise(() => signal.addEventListener('abort', () => heard.push('hangs told'))) })
    root.onClose({ name: 'throws', close: () => { throw new Error('stuck') } })
    await root.close({ deadlineMs: 5, failed: (name, cause) => heard.push(`${name}: ${cause instanceof Error ? cause.message : ''}`) })
    expect(heard).toEqual(['throws: stuck', 'hangs told', 'hangs: not closed after 5 ms', 'good closed'])
  })

  test('one instance per token', () => {
    const root = ContainerScope.root('process')
    root.put(NAME, { name: 'x' })
    expect(() => root.put(NAME, { name: 'y' })).toThrow('scope process already has "name"')
  })
})
