import { StartFailure } from '../../api/index.js'
import type { ResolvedSlot } from '../../kernel/kernel.js'
import { wire } from '../../kernel/lifecycle/wire.js'
import { LogHub } from '../../log/log-hub.js'
import { plainAddress } from '../../net/addresses.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { locateConfig } from '../config-file.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { domainOf, HostChoice } from '../host-choice.js'
import { countText, problemText, shortPath } from '../problem-text.js'
import { kernelOptions } from '../kernel-options.js'
import { paint, say, table } from '../terminal.js'
import type { Terminal } from '../terminal.js'
import { isIP } from 'node:net'

/** `mailwright explain`: which plugin serves what, where each setting comes from, and what is off and why. */
export async function run({ args, terminal, env }: CommandContext): Promise<number> {
  const { values, positionals } = parseCommandLine(
    args,
    { config: { type: 'string', short: 'c' }, from: { type: 'string' }, to: { type: 'string' }, listener: { type: 'string' }, 'server-name': { type: 'string' } },
    { least: 0, most: 1 },
  )
  for (const address of [values.from, values.to]) if (address !== undefined && isIP(address) === 0) throw new CommandFailure(EXIT.usage, `"${address}" is no IP address`)
  try {
    const { source } = await locateConfig(values.config, env)
    const wired = await wire(kernelOptions(source, new LogHub({ write: () => undefined })))
    const { plan } = wired
    const listener = values.listener === undefined ? undefined : plan.listeners.find((l) => l.id === values.listener)
    if (values.listener !== undefined && listener === undefined) throw new CommandFailure(EXIT.usage, `there is no listener "${values.listener}"`)
    const [user] = positionals
    let hosts = plan.hosts.map((h) => h.id)
    const asked = user !== undefined || values.to !== undefined || values['server-name'] !== undefined || listener !== undefined
    if (asked) {
      const localAddress = plainAddress(values.to ?? listener?.address?.[0] ?? '')
      const id = new HostChoice(plan.hosts).choose({ localAddress, serverName: values['server-name'], domain: user === undefined ? undefined : domainOf(user) })
      hosts = [id]
      const who = user === undefined ? 'A connection' : `${user}${values.from === undefined ? '' : ` from ${values.from}`}`
      say(terminal.out, `${who}${listener === undefined ? '' : ` through listener ${listener.id} (${listener.protocol}, tls ${listener.tls})`} is served by host ${paint(terminal, 'bold', id)}`)
      say(terminal.out)
    }
    say(terminal.out, `configuration: ${source.file === undefined ? 'none, the built-in quickstart' : source.files.map(shortPath).join(', ')}`)
    if (!asked) printSlots('process', wired.slots.filter((s) => s.host === undefined), terminal)
    for (const id of hosts) printSlots(`host ${id}`, wired.slots.filter((s) => s.host === id), terminal)
    say(terminal.out, `\n${paint(terminal, 'bold', 'settings')}`)
    const shown = plan.settings.filter((s) => !s.path.startsWith('hosts.') || hosts.some((id) => s.path.startsWith(`hosts.${id}.`)))
    say(terminal.out, table(shown.map((s) => [`  ${s.path}`, JSON.stringify(s.value), s.file === undefined ? 'default' : `${shortPath(s.file)}${s.line === undefined ? '' : `:${s.line}`}`])))
    const errors = wired.problems.filter((p) => p.severity === 'error')
    if (errors.length > 0) say(terminal.err, `\n${problemText(errors, { colours: false })}\n${countText(errors)}`)
    return errors.length > 0 ? EXIT.configuration : EXIT.ok
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error
    say(terminal.err, problemText(error.problems, { colours: false }))
    return EXIT.configuration
  }
}

function printSlots(title: string, slots: readonly ResolvedSlot[], terminal: Terminal): void {
  say(terminal.out, `\n${paint(terminal, 'bold', title)}`)
  const used = slots.filter((s) => s.entries.length > 0 || s.off.length > 0)
  const rows = used.flatMap((slot) => [
    ...slot.entries.map((e, i) => [i === 0 ? `  ${slot.path}` : '', e.name, `${e.plugin}${e.optional ? ' (optional)' : ''}`]),
    ...slot.off.map((o, i) => [slot.entries.length === 0 && i === 0 ? `  ${slot.path}` : '', o.name, `off: ${o.why}`]),
  ])
  if (rows.length > 0) say(terminal.out, table(rows))
}
