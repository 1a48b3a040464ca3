import { definePlugin, filePath, logSinks } from 'mailwright/api'
import type { LogSink } from 'mailwright/api'
import { z } from 'zod'
import { FACILITIES, syslogMessage } from './message.js'
import type { Facility, Level, MessageStyle } from './message.js'
import { openDatagramSocket } from './native.js'
import type { DatagramSocket } from './native.js'

const LEVELS: readonly Level[] = ['debug', 'info', 'warn', 'error']
// The keys of the table are the names; Object.keys forgets their type.
const facility = z.enum(Object.keys(FACILITIES) as [Facility, ...Facility[]])

/** Lines to the syslog daemon of the machine. One that the daemon does not take is lost, as with every program that logs there. */
class SyslogSink implements LogSink, AsyncDisposable {
  readonly #socket: DatagramSocket
  readonly #least: number
  readonly #style: MessageStyle

  constructor(socket: DatagramSocket, level: Level, style: MessageStyle) {
    this.#socket = socket
    this.#least = LEVELS.indexOf(level)
    this.#style = style
  }
  write(level: Level, event: string, facts: Readonly<Record<string, unknown>>): void {
    if (LEVELS.indexOf(level) >= this.#least) this.#socket.send(syslogMessage(this.#style, level, event, facts, new Date()))
  }
  [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close()
    return Promise.resolve()
  }
}

/** Log lines to the syslog daemon, with the facilities that the original used. */
export default definePlugin({
  id: 'log-syslog',
  api: '1.0',
  summary: 'log lines to the syslog daemon of the machine',
  setup(p) {
    p.to(logSinks).contribute({
      name: 'syslog',
      settings: z.strictObject({
        level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('The least urgent lines that are sent.'),
        facility: facility.default('mail').describe('Facility of ordinary lines.'),
        authFacility: facility.default('auth').describe('Facility of lines about refused logins.'),
        ident: z
          .string()
          .regex(/^[\w.-]{1,32}$/, 'expected a short program name')
          .default('mailwright')
          .describe('Program name in front of each line.'),
        socket: filePath().default('/dev/log').describe('Socket of the daemon.'),
      }),
      async create({ level, socket, ...style }, _needs, site) {
        return new SyslogSink(await openDatagramSocket(site.resolve(socket)), level, { ...style, pid: process.pid })
      },
    })
  },
})
