import type { Observer } from 'mailwright/api'
import { expect, test } from 'vitest'
import { hopsOf, measured } from '../../../../core/session/watch/hops.js'
import { LoggedLines, entry } from '../../../support/auth.js'

const session = { id: 's1', host: 'default', protocol: 'imap4', address: '192.0.2.1' }

/** An observer whose marks begin at a number of its own. */
function noting(first: number, more: Partial<Observer> = {}): Observer & { readonly heard: string[] } {
  const heard: string[] = []
  let mark = first
  return {
    heard,
    wants: () => true,
    begin(id, hop, name) {
      heard.push(`${id} begin ${hop} ${name}`)
      return mark++
    },
    end: (id, hop, own, outcome, octets, messages) => void heard.push(`${id} end ${hop} ${own} ${outcome} ${octets} ${messages}`),
    client: (id, facts) => void heard.push(`${id} client ${facts.address}`),
    close: (id) => void heard.push(`${id} close`),
    ...more,
  }
}

test('nobody, or nobody who wants the session: there is nothing to ask', () => {
  const log = new LoggedLines()
  expect(hopsOf([], session, log)).toBeUndefined()
  expect(hopsOf([entry('no', noting(0, { wants: () => false }), undefined)], session, log)).toBeUndefined()
})
test('every observer gets its own marks back, of hops inside one another too', () => {
  const one = noting(100)
  const two = noting(7)
  const hops = hopsOf([entry('one', one, undefined), entry('two', two, undefined)], session, new LoggedLines())
  const outer = hops?.begin('run', 'FETCH') ?? 0
  const inner = hops?.begin('store', 'open') ?? 0
  hops?.end('store', inner, 'ok', 0)
  hops?.end('run', outer, 'no', 12, 3)
  hops?.end('run', outer, 'ok', 12)
  hops?.client({ address: '192.0.2.1', id: new Map(), commands: [] })
  hops?.close()
  expect(one.heard).toEqual(['s1 begin run FETCH', 's1 begin store open', 's1 end store 101 ok 0 0', 's1 end run 100 no 12 3', 's1 client 192.0.2.1', 's1 close'])
  expect(two.heard.slice(2, 4)).toEqual(['s1 end store 8 ok 0 0', 's1 end run 7 no 12 3'])
})
test('one that throws is named in the log and left out; the others go on', () => {
  const log = new LoggedLines()
  const good = noting(0)
  const bad = noting(0, {
    begin() {
      throw new Error('no room for numbers')
    },
  })
  const hops = hopsOf([entry('bad', bad, undefined), entry('good', good, undefined)], session, log)
  hops?.end('run', hops.begin('run', 'NOOP'), 'ok', 0)
  hops?.end('run', hops.begin('run', 'NOOP'), 'ok', 0)
  expect(good.heard).toHaveLength(4)
  expect(bad.heard).toEqual([])
  expect(log.lines).toEqual(['error observer failed session=s1 plugin=test-bad use=bad error=Error: no room for numbers'])
})
test('one that cannot say whether it wants a session does not get it', () => {
  const log = new LoggedLines()
  const wants = (): boolean => {
    throw new Error('?')
  }
  expect(hopsOf([entry('bad', noting(0, { wants }), undefined)], session, log)).toBeUndefined()
  expect(log.lines).toHaveLength(1)
})
test('what waits is measured to its end, whatever the end is', async () => {
  const one = noting(1)
  const hops = hopsOf([entry('one', one, undefined)], session, new LoggedLines())
  expect(await measured(hops, 'resolve', 'open', () => Promise.resolve(5))).toBe(5)
  await expect(measured(hops, 'store', 'sync', () => Promise.reject(new Error('disk')))).rejects.toThrow('disk')
  expect(one.heard.filter((h) => h.includes(' end '))).toEqual(['s1 end resolve 1 ok 0 0', 's1 end store 2 error 0 0'])
})
