import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DeliveryDesk } from '../../../core/main/processes/delivery-desk.js'
import type { ToChild } from '../../../core/main/processes/messages.js'
import { LoggedLines } from '../../support/auth.js'

const login = { kind: 'in', user: { name: 'alice', kind: 'account', facts: {} }, authcid: 'alice', alerts: [] }
const ASKED = { kind: 'recipient', id: 'front-1', address: 'alice', localAddress: '' } as const
const WANTED = { kind: 'deliver', id: 'front-1', sender: '', createFolder: false, octets: 3 } as const

/** A desk whose other processes are this test. */
class Desk {
  readonly toFront: ToChild[] = []
  readonly toAuth: ToChild[] = []
  readonly opened: Extract<ToChild, { kind: 'open' }>[] = []
  readonly served: Extract<ToChild, { kind: 'delivery' }>[] = []
  delivers = true
  readonly desk = new DeliveryDesk({
    logger: new LoggedLines(),
    delivers: () => this.delivers,
    toFront: (message) => void this.toFront.push(message),
    toAuth: (message) => Promise.resolve(this.toAuth.push(message) > 0),
    open: (_user, message) => Promise.resolve(void this.opened.push(message)),
    serve: (message) => void this.served.push(message),
  })
}

describe('deliveries between processes', () => {
  const server = createServer()
  let socket: Socket
  beforeEach(async () => {
    if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening')
    // A TCP server that listens has an address with a port.
    socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    await once(socket, 'connect')
  })
  afterEach(() => void socket.destroy())
  afterAll(() => void server.close())

  test('a delivery is a session whose name the front neither chooses nor hears', async () => {
    const { desk, toFront, opened, served } = new Desk()
    await desk.recipient(ASKED)
    desk.found({ kind: 'recipient-found', id: 'front-1', found: { host: 'default', login, folder: undefined } })
    await desk.deliver(WANTED, socket)
    const session = opened[0]?.session ?? ''
    expect([desk.has('front-1'), desk.has(session)]).toEqual([false, true])
    desk.opened(session, undefined)
    expect(served).toEqual([{ kind: 'delivery', session, parcel: { address: 'alice', folder: undefined, sender: '', createFolder: false }, octets: 3 }])
    desk.answered(session, undefined)
    desk.ended(session)
    expect(toFront).toEqual([{ kind: 'recipient-found', id: 'front-1' }, { kind: 'delivered', id: 'front-1' }])
    expect(JSON.stringify(toFront)).not.toContain(session)
  })

  test('what nobody asked for, what was forgotten, and what came once already is not delivered', async () => {
    const { desk, toFront, opened } = new Desk()
    await desk.deliver(WANTED, socket)
    await desk.recipient(ASKED)
    desk.found({ kind: 'recipient-found', id: 'front-1', found: { host: 'default', login, folder: undefined } })
    desk.forget('front-1')
    await desk.deliver(WANTED, socket)
    desk.found({ kind: 'recipient-found', id: 'front-2', found: { host: 'default', login, folder: undefined } })
    await desk.deliver({ ...WANTED, id: 'front-2' }, socket)
    expect(opened).toEqual([])
    expect(toFront.filter(({ kind }) => kind === 'delivered')).toEqual(['front-1', 'front-1', 'front-2'].map((id) => ({ kind: 'delivered', id, failure: { problem: 'unavailable', text: 'not available now' } })))
  })

  test('without a listener that takes mail nobody is asked; a lost authenticator and a lost process are outages', async () => {
    const made = new Desk()
    made.delivers = false
    await made.desk.recipient(ASKED)
    expect(made.toAuth).toEqual([])
    made.delivers = true
    await made.desk.recipient(ASKED)
    made.desk.authLost()
    await made.desk.recipient(ASKED)
    made.desk.found({ kind: 'recipient-found', id: 'front-1', found: { host: 'default', login, folder: undefined } })
    await made.desk.deliver(WANTED, socket)
    made.desk.ended(made.opened[0]?.session ?? '')
    const failure = { problem: 'unavailable', text: 'not available now' }
    expect(made.toFront).toEqual([
      { kind: 'recipient-found', id: 'front-1', failure }, { kind: 'recipient-found', id: 'front-1', failure }, { kind: 'recipient-found', id: 'front-1' }, { kind: 'delivered', id: 'front-1', failure },
    ])
    expect(socket.destroyed).toBe(true)
  })
})
