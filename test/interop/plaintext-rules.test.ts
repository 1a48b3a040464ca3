import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type RunningServer } from '../support/running-server.js'

type Link = 'in clear' | 'after STARTTLS or STLS' | 'in TLS from the start'
/** What a client is told and may do. */
interface Rule {
  readonly plaintext: 'never' | 'encrypted-only' | 'always'
  readonly link: Link
  readonly allowed: boolean
}
const rules: readonly Rule[] = [
  { plaintext: 'never', link: 'in clear', allowed: false },
  // Final, also where it was not for the original (FAQ 3.17).
  { plaintext: 'never', link: 'after STARTTLS or STLS', allowed: false },
  { plaintext: 'never', link: 'in TLS from the start', allowed: false },
  { plaintext: 'encrypted-only', link: 'in clear', allowed: false },
  { plaintext: 'encrypted-only', link: 'after STARTTLS or STLS', allowed: true },
  { plaintext: 'encrypted-only', link: 'in TLS from the start', allowed: true },
  { plaintext: 'always', link: 'in clear', allowed: true },
]

/** A dialogue by lines, which may pass into TLS. */
class Lines {
  #socket: Socket
  #heard = ''
  private constructor(socket: Socket) {
    this.#socket = socket
    this.#listen()
  }
  static async open(port: number, ca: Buffer | undefined): Promise<Lines> {
    const socket = ca === undefined ? connect(port, 'localhost') : connectTls({ port, host: 'localhost', ca })
    await once(socket, ca === undefined ? 'connect' : 'secureConnect')
    return new Lines(socket)
  }
  /** Says a line and takes what comes up to the end of the answer. */
  async ask(line: string, end: RegExp): Promise<string> {
    this.#heard = ''
    if (line !== '') this.#socket.write(`${line}\r\n`)
    while (!end.test(this.#heard)) await once(this.#socket, 'data')
    return this.#heard
  }
  async secure(ca: Buffer): Promise<void> {
    this.#socket.removeAllListeners('data')
    this.#socket = connectTls({ socket: this.#socket, servername: 'localhost', ca })
    await once(this.#socket, 'secureConnect')
    this.#listen()
  }
  close(): void {
    this.#socket.destroy()
  }
  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => (this.#heard += chunk.toString('latin1')))
    this.#socket.on('error', () => undefined)
  }
}

describe.each(['never', 'encrypted-only', 'always'] as const)('auth.plaintext: %s', (plaintext) => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer({ plaintext, auth: 'mechanisms: [scram-sha-256, plain, login]\nschemes: [ { use: plain, allow: true } ]\npasswords: [ { use: file, path: users.txt, keep: [clear] } ]' })
  })
  afterAll(() => server?.remove())

  test.each(rules.filter((rule) => rule.plaintext === plaintext))('IMAP $link: LOGINDISABLED and the mechanisms say what LOGIN then does', async ({ link, allowed }) => {
    const ca = await readFile(server.certificate)
    const lines = await Lines.open(link === 'in TLS from the start' ? server.ports.imaps : server.ports.imap, link === 'in TLS from the start' ? ca : undefined)
    await lines.ask('', /\r\n/)
    if (link === 'after STARTTLS or STLS') {
      expect(await lines.ask('s STARTTLS', /^s .*\r\n/m)).toContain('s OK')
      await lines.secure(ca)
    }
    const capabilities = (await lines.ask('c CAPABILITY', /^c OK.*\r\n/m)).split('\r\n')[0]?.split(' ') ?? []
    expect({ disabled: capabilities.includes('LOGINDISABLED'), mechanisms: capabilities.filter((word) => word.startsWith('AUTH=')) }).toEqual({ disabled: !allowed, mechanisms: ['AUTH=SCRAM-SHA-256', ...(allowed ? ['AUTH=PLAIN', 'AUTH=LOGIN'] : [])] })
    expect(await lines.ask('l LOGIN alice secret', /^l .*\r\n/m)).toMatch(allowed ? /^l OK/m : /^l NO/m)
    lines.close()
  })

  test.each(rules.filter((rule) => rule.plaintext === plaintext))('POP3 $link: CAPA has USER where USER and PASS are taken', async ({ link, allowed }) => {
    const ca = await readFile(server.certificate)
    const lines = await Lines.open(link === 'in TLS from the start' ? server.ports.pop3s : server.ports.pop3, link === 'in TLS from the start' ? ca : undefined)
    await lines.ask('', /\r\n/)
    if (link === 'after STARTTLS or STLS') {
      expect(await lines.ask('STLS', /\r\n/)).toContain('+OK')
      await lines.secure(ca)
    }
    const capabilities = (await lines.ask('CAPA', /^\.\r\n/m)).split('\r\n')
    const mechanisms = capabilities.find((line) => line.startsWith('SASL'))
    expect({ user: capabilities.includes('USER'), mechanisms }).toEqual({ user: allowed, mechanisms: `SASL SCRAM-SHA-256${allowed ? ' PLAIN LOGIN' : ''}` })
    const user = await lines.ask('USER alice', /\r\n/)
    expect(user).toMatch(allowed ? /^\+OK/ : /^-ERR/)
    if (allowed) expect(await lines.ask('PASS secret', /\r\n/)).toMatch(/^\+OK/)
    lines.close()
  })
})
