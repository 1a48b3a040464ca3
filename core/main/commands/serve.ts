import type { Writable } from 'node:stream'
import { StartFailure } from '../../api/index.js'
import type { Reloaded } from '../../kernel/kernel.js'
import { LogHub } from '../../log/log-hub.js'
import { StreamSink } from '../../log/sinks/stream-sink.js'
import { takeInheritedSockets } from '../../net/activation.js'
import { addressWithPort } from '../../net/addresses.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { locateConfig } from '../config-file.js'
import type { LocatedConfig } from '../config-file.js'
import { ControlSocket } from '../control.js'
import type { ControlAnswer } from '../control.js'
import { EXIT } from '../exit-codes.js'
import { compileInSmallPieces, learnFromFirstCalls } from '../first-calls.js'
import { giveHeapRoom } from '../heap.js'
import { problemText } from '../problem-text.js'
import type { ConfigOrigin } from '../processes/messages.js'
import { quickstartConfig } from '../quickstart.js'
import { runDirectory } from '../run-directory.js'
import type { RunningServer } from '../running-server.js'
import { MailServer } from '../server.js'
import { startServer } from '../start-server.js'
import { say } from '../terminal.js'
import { prepareTrial, trialText } from '../trial.js'

/** `mailwright serve`: runs until it is told to stop. */
export async function run({ args, terminal, env }: CommandContext): Promise<number> {
  giveHeapRoom()
  const { values } = parseCommandLine(args, { config: { type: 'string', short: 'c' }, try: { type: 'boolean' } })
  const inherited = takeInheritedSockets(env, process.pid)
  const log = new LogHub(new StreamSink(process.stderr, { level: 'info', format: 'auto', env }))
  // Heard from the first moment on: a service manager may change its mind while the server starts.
  const signals = new Signals()
  try {
    const located = await locateConfig(values.config, env)
    const server = await startServer({ source: located.source, log, inherited, listen: true }, originOf(located.source))
    learnFromFirstCalls()
    compileInSmallPieces()
    try {
      const reload = (): Promise<ControlAnswer> => takeUp(server, located, log)
      await using _control = await openControl(server, reload, log, env)
      for (const at of server.addresses) log.info('listening', { listener: at.listener, protocol: at.protocol, tls: at.tls, at: addressWithPort(at.address, at.port) })
      if ((values.try === true || located.quickstart !== undefined) && server instanceof MailServer) await tellHowToTry(server, located, values.config, terminal.out)
      await notify(env, 'READY=1', log)
      signals.on('SIGHUP', () => void reload())
      log.info('stopping', { signal: await signals.stop })
      await notify(env, 'STOPPING=1', log)
    } finally {
      await server.stop()
    }
    return EXIT.ok
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error
    say(terminal.err, problemText(error.problems, { colours: process.stderr.isTTY && terminal.colours }))
    return EXIT.configuration
  } finally {
    signals.close()
  }
}

async function tellHowToTry(server: MailServer, located: LocatedConfig, config: string | undefined, out: Writable): Promise<void> {
  const made = await prepareTrial(server)
  say(out, trialText(server, made, located.quickstart === undefined ? config : undefined))
}

/** The same configuration as a process of this server finds it. */
function originOf(source: LocatedConfig['source']): ConfigOrigin {
  return source.file === undefined ? { value: quickstartConfig(), folder: source.folder } : { file: source.file }
}

async function takeUp(server: RunningServer, located: LocatedConfig, log: LogHub): Promise<ControlAnswer> {
  try {
    const source = await located.again()
    const reloaded = await server.reload(source, originOf(source))
    log.info('reloaded', { changed: reloaded.changed, added: reloaded.added, removed: reloaded.removed, kept: reloaded.kept })
    for (const path of reloaded.restart) log.warn('takes effect only after a restart', { at: path })
    return { ok: true, text: [reloadedText(reloaded), problemText(reloaded.warnings, { colours: false })].filter((t) => t !== '').join('\n') }
  } catch (error) {
    if (!(error instanceof StartFailure)) log.error('reload failed', { error })
    else for (const { code, path, message } of error.problems) log.error('reload refused', { code, at: path, text: message })
    const text = error instanceof StartFailure ? problemText(error.problems, { colours: false }) : String(error)
    return { ok: false, text: `${text}\nnothing has changed` }
  }
}

function reloadedText(r: Reloaded): string {
  const words = (label: string, ids: readonly string[]): string => (ids.length === 0 ? '' : `${label} ${ids.join(', ')}`)
  const hosts = [words('changed', r.changed), words('added', r.added), words('removed', r.removed), words('unchanged', r.kept)].filter((w) => w !== '').join('; ')
  return [`hosts: ${hosts}`, ...r.restart.map((path) => `${path} takes effect only after a restart`)].join('\n')
}

async function openControl(server: RunningServer, reload: () => Promise<ControlAnswer>, log: LogHub, env: NodeJS.ProcessEnv): Promise<ControlSocket | undefined> {
  const folder = runDirectory(server.kernel.plan, env)
  try {
    return await ControlSocket.open(folder, (request) =>
      request === 'reload' ? reload() : request !== 'status' ? server.blocks(request) : Promise.resolve({ ok: true, text: `pid ${process.pid}, ${server.open} connections` }),
    )
  } catch (error) {
    // Mail is more important than the comfort of a command.
    log.warn('"mailwright reload" cannot reach this server, SIGHUP can', { folder, text: error instanceof Error ? error.message : String(error) })
    return undefined
  }
}

/** sd_notify(3), where the service manager asked for it and datagrams can be sent. */
async function notify(env: NodeJS.ProcessEnv, state: string, log: LogHub): Promise<void> {
  const { NOTIFY_SOCKET: to } = env
  if (to === undefined || to === '') return
  const { sendDatagram } = await import('../../os/datagram.js')
  const failure = await sendDatagram(to, Buffer.from(state)).then(
    (sent) => (sent ? undefined : new Error('nobody listens there, or this machine has no native calls')),
    (error: unknown) => error,
  )
  if (failure !== undefined) log.warn('the service manager cannot be told; with Type=notify it will give this server up, use Type=exec', { state, socket: to, error: failure })
}

/** SIGTERM and SIGINT once; a second one ends the process at once. */
class Signals {
  readonly stop: Promise<NodeJS.Signals>
  readonly #heard: { readonly signal: NodeJS.Signals; readonly hear: () => void }[] = []

  constructor() {
    let count = 0
    this.stop = new Promise((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        this.on(signal, () => {
          count += 1
          if (count > 1) process.exit(EXIT.failed)
          resolve(signal)
        })
      }
    })
  }
  on(signal: NodeJS.Signals, hear: () => void): void {
    this.#heard.push({ signal, hear })
    process.on(signal, hear)
  }
  close(): void {
    for (const { signal, hear } of this.#heard.splice(0)) process.off(signal, hear)
  }
}
