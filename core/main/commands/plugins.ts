import { StartFailure } from '../../api/index.js'
import { wire } from '../../kernel/lifecycle/wire.js'
import { LogHub } from '../../log/log-hub.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { locateConfig } from '../config-file.js'
import { EXIT } from '../exit-codes.js'
import { problemText, shortPath } from '../problem-text.js'
import { kernelOptions } from '../kernel-options.js'
import { paint, say } from '../terminal.js'

/** `mailwright plugins`: what is loaded, from where, and which points it fills. */
export async function run({ args, terminal, env }: CommandContext): Promise<number> {
  const { values } = parseCommandLine(args, { config: { type: 'string', short: 'c' }, json: { type: 'boolean' } })
  try {
    const { source } = await locateConfig(values.config, env)
    const wired = await wire(kernelOptions(source, new LogHub({ write: () => undefined })))
    if (values.json === true) say(terminal.out, JSON.stringify(wired.plugins, null, 2))
    else {
      for (const p of wired.plugins) {
        const origin = p.origin === undefined ? p.from : `${p.from} ${shortPath(p.origin)}`
        say(terminal.out, `${paint(terminal, 'bold', p.id)}${p.version === undefined ? '' : ` ${p.version}`}  ${paint(terminal, 'dim', origin)}`)
        say(terminal.out, `    ${p.summary}`)
        if (p.fills.length > 0) say(terminal.out, `    fills ${p.fills.map((f) => `${f.point}: ${f.name}`).join(', ')}`)
        if (p.provides.length > 0) say(terminal.out, `    provides ${p.provides.join(', ')}`)
        if (p.offers.length > 0) say(terminal.out, `    offers ${p.offers.join(', ')}`)
      }
    }
    const errors = wired.problems.filter((p) => p.severity === 'error')
    if (errors.length > 0) say(terminal.err, problemText(errors, { colours: false }))
    return errors.length > 0 ? EXIT.configuration : EXIT.ok
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error
    say(terminal.err, problemText(error.problems, { colours: false }))
    return EXIT.configuration
  }
}
