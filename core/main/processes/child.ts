import { setMaxListeners } from 'node:events'
import { LOGGER, MailError, StartFailure } from '../../api/index.js'
import type { LogSink, Role } from '../../api/index.js'
import { configOf, readConfig } from '../../config/config.js'
import type { ConfigPlan, ConfigSource } from '../../config/plan/types.js'
import type { Kernel } from '../../kernel/kernel.js'
import { startKernel } from '../../kernel/lifecycle/start.js'
import { LogHub } from '../../log/log-hub.js'
import { redact } from '../../log/redact.js'
import { channelOf } from '../../processes/channel.js'
import type { Channel } from '../../processes/channel.js'
import { become } from '../../processes/privileges.js'
import { adopt, SocketPairs } from '../../processes/sockets.js'
import { encodeOutcome } from '../../processes/values.js'
import { knownPoints } from '../always.js'
import { answerBlocks } from '../blocks.js'
import { Connections } from '../connections.js'
import { compileInSmallPieces, learnFromFirstCalls } from '../first-calls.js'
import { giveHeapRoom } from '../heap.js'
import { HostTls } from '../host-tls.js'
import { kernelOptions } from '../kernel-options.js'
import { addressee } from '../delivery/incoming.js'
import { FrontSessions } from './front.js'
import { GateService } from './gate-service.js'
import { MailSessions } from './mail.js'
import type { ConfigOrigin, FromChild, GateAsk, GateTell, StartMessage, ToChild } from './messages.js'
import { RemoteDelivery } from './remote-delivery.js'
import { failureOf } from './failures.js'
import { GateCalls } from './remote-gate.js'

/** What a process does once it is what it is to be. */
interface Part {
  hear(message: ToChild, socket: import('node:net').Socket | undefined): void
  stop(withinMs: number): Promise<void>
}
const channel: Channel<ToChild, FromChild> = channelOf<ToChild, FromChild>(process)

/** Lines of this process are written by the one that started it. */
const toParent: LogSink = { write: (level, event, facts) => void channel.send({ kind: 'log', level, event, facts: redact(facts) }) }
const log = new LogHub(toParent)
setMaxListeners(0)

/** Never given. */
const untilTheEnd = new AbortController().signal
let part: Part | undefined
let starting = false
channel.hear((message, socket) => {
  if (message.kind === 'start') {
    if (!starting) void begin(message)
    starting = true
  } else if (message.kind === 'stop') void end(message.withinMs)
  else if (part === undefined) socket?.destroy()
  else part.hear(message, socket)
})
// Whoever started this process is gone: nobody gives it work or orders any more.
process.on('disconnect', () => void end(0))
// The one that started it decides when it ends; a signal to the whole group must not come before that. SIGUSR2 comes from other mail programs that want a lock.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => undefined)
process.on('uncaughtException', (error) => {
  log.error('a process fails', { error })
  setTimeout(() => process.exit(1), 100).unref()
})

async function begin(message: StartMessage): Promise<void> {
  try {
    // Read while the process may: the file can hold what the account must not see.
    const source = await sourceOf(message.config)
    part = await STARTS[message.role](message, source)
    giveHeapRoom()
    learnFromFirstCalls()
    compileInSmallPieces()
    await channel.send({ kind: 'ready' })
  } catch (error) {
    const problems = error instanceof StartFailure ? error.problems : [{ code: 'PRC_START_FAILED', severity: 'error' as const, path: '', message: error instanceof Error ? error.message : String(error) }]
    await channel.send({ kind: 'failed', problems })
    process.exit(1)
  }
}
async function end(withinMs: number): Promise<never> {
  await part?.stop(withinMs).catch(() => undefined)
  process.exit(0)
}

async function sourceOf(origin: ConfigOrigin): Promise<ConfigSource> {
  return origin.file !== undefined ? readConfig(origin.file, origin.machine) : configOf(origin.value ?? {}, origin.folder ?? process.cwd(), origin.machine)
}
async function kernelFor(source: ConfigSource, role: Role): Promise<Kernel<ConfigPlan>> {
  // What others create: all formats and extensions would be 20 MiB of a process that reads no mail.
  const unused = knownPoints.filter((point) => !point.roles.includes(role))
  return startKernel({ ...kernelOptions(source, log), given: [{ token: LOGGER, value: log }], roles: [role], unused })
}
function take({ identity, account }: StartMessage): void {
  if (identity === undefined) return
  process.chdir('/')
  become(identity)
  if (account === undefined) return
  Object.assign(process.env, { USER: account.name, LOGNAME: account.name, ...(account.home === undefined ? {} : { HOME: account.home }) })
}

const STARTS: Readonly<Record<Role, (message: StartMessage, source: ConfigSource) => Promise<Part>>> = {
  async front(message, source) {
    const kernel = await kernelFor(source, 'front')
    const tls = new HostTls(log)
    // Keys are read while it may; afterwards the certificates in memory are all it has.
    for (const plan of kernel.plan.hosts) {
      const host = kernel.host(plan.id)
      if (host !== undefined) await tls.contexts(host, plan).find(undefined, '127.0.0.1').catch(() => undefined)
    }
    take(message)
    const pairs = await SocketPairs.open(message.pipes ?? '/tmp')
    const calls = new GateCalls((body: GateAsk) => channel.send({ kind: 'auth', body }))
    const delivery = new RemoteDelivery(channel, pairs)
    let sessions: FrontSessions | undefined
    const connections = new Connections(kernel, log, tls, (hostOf) => (sessions = new FrontSessions({ hostOf, calls, channel, pairs, delivery, logger: log })))
    return {
      hear(what, socket) {
        if (what.kind === 'connection' && socket !== undefined) {
          void connections.serveSocket(adopt(socket), what.place).then(() => channel.send({ kind: 'load', open: connections.count }))
        } else if (what.kind === 'auth') calls.hear(what.body as GateTell)
        else if (what.kind === 'opened') sessions?.opened(what.session, what.failure)
        else if (what.kind === 'recipient-found' || what.kind === 'delivered') delivery.hear(what.id, what.failure)
        else if (what.kind === 'auth-lost') calls.lost()
        else if (what.kind === 'tune') sessions?.tune(what.session, what.octets)
      },
      async stop(withinMs) {
        await connections.drain(withinMs)
        await pairs[Symbol.asyncDispose]()
        await kernel.stop()
      },
    }
  },

  async auth(message, source) {
    const kernel = await kernelFor(source, 'auth')
    take(message)
    const service = new GateService(
      kernel,
      log,
      (body) => void channel.send({ kind: 'auth', body }),
      (grant) => channel.send({ kind: 'grant', ...grant }),
    )
    return {
      hear(what) {
        if (what.kind === 'auth') service.hear(what.body as GateAsk)
        else if (what.kind === 'session-ended') service.ended(what.session)
        else if (what.kind === 'recipient') void tellAddressee(kernel, what).then((told) => channel.send(told))
        else if (what.kind === 'blocks') void channel.send({ kind: 'blocks', id: what.id, answer: answerBlocks(kernel.hosts.values(), what.request) })
      },
      stop: () => kernel.stop(),
    }
  },

  async mail(message, source) {
    // Nothing of the user's is touched, and no plugin runs, before the process is the user's.
    take(message)
    let kernel: Kernel<ConfigPlan> | undefined
    let sessions: Promise<MailSessions> | undefined
    const only = (hosts: ReadonlySet<string>): ConfigSource => onlyHosts(source, hosts)
    const begun = async (host: string): Promise<MailSessions> => {
      kernel = await kernelFor(only(new Set([host])), 'mail')
      return new MailSessions(kernel, channel, log, only)
    }
    return {
      hear(what, socket) {
        if (what.kind === 'open') {
          sessions ??= begun(what.host)
          sessions.then(
            (ready) => void ready.open(what),
            (error: unknown) => {
              log.error('the mail of a user cannot be served', { error })
              void channel.send({ kind: 'opened', session: what.session, failure: { problem: 'unavailable', text: 'not available now' } })
            },
          )
        } else if (what.kind === 'abandoned') void sessions?.then((ready) => ready.abandon(what.session)).catch(() => undefined)
        else if ((what.kind === 'session' || what.kind === 'delivery') && socket !== undefined) {
          const mine = adopt(socket)
          void (sessions ?? Promise.reject(new Error('no mail was opened'))).then((ready) => (what.kind === 'session' ? ready.accept(what, mine) : ready.deliver(what, mine))).catch(() => mine.destroy())
        }
      },
      async stop(withinMs) {
        await (await sessions?.catch(() => undefined))?.drain(withinMs)
        await kernel?.stop()
      },
    }
  },

  main() {
    return Promise.reject(new Error('the process that starts the others is not started by one'))
  },
}

/** Whose an address is. Never rejects. */
async function tellAddressee(kernel: Kernel<ConfigPlan>, { id, address, localAddress }: Extract<ToChild, { kind: 'recipient' }>): Promise<Extract<FromChild, { kind: 'recipient-found' }>> {
  try {
    const { host, user, folder } = await addressee({ kernel }, address, { localAddress }, undefined, untilTheEnd)
    return { kind: 'recipient-found', id, found: { host: host.id, folder, login: encodeOutcome({ kind: 'in', user, authcid: user.name, alerts: [] }) } }
  } catch (error) {
    if (!(error instanceof MailError)) log.error('whose an address is cannot be found out', { error })
    return { kind: 'recipient-found', id, failure: failureOf(error) }
  }
}

/** The same configuration with some of its hosts only. */
function onlyHosts(source: ConfigSource, hosts: ReadonlySet<string>): ConfigSource {
  return {
    ...source,
    plan: (points) => {
      const plan = source.plan(points)
      return { ...plan, hosts: plan.hosts.filter((host) => hosts.has(host.id)) }
    },
  }
}
