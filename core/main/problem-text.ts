import { relative } from 'node:path'
import type { Problem } from '../api/index.js'
import { paint } from './terminal.js'
import type { Terminal } from './terminal.js'

/** Problems as a person reads them: code, place, fact, way out, file and line. */
export function problemText(problems: readonly Problem[], terminal: Pick<Terminal, 'colours'>): string {
  return problems
    .map((p) => {
      const code = paint(terminal, p.severity === 'error' ? 'red' : 'yellow', p.severity === 'error' ? p.code : `${p.code} (warning)`)
      const path = p.path === '' ? '' : `${paint(terminal, 'bold', p.path)}: `
      const lines = [`${code}  ${path}${p.message}`]
      if (p.hint !== undefined) lines.push(`    ${p.hint}`)
      if (p.file !== undefined) lines.push(paint(terminal, 'dim', `    in ${shortPath(p.file)}${p.line === undefined ? '' : `:${p.line}`}`))
      return lines.join('\n')
    })
    .join('\n')
}

/** `2 errors, 1 warning`. */
export function countText(problems: readonly Problem[]): string {
  const errors = problems.filter((p) => p.severity === 'error').length
  const warnings = problems.length - errors
  const words = [errors > 0 ? `${errors} error${errors === 1 ? '' : 's'}` : '', warnings > 0 ? `${warnings} warning${warnings === 1 ? '' : 's'}` : '']
  return words.filter((w) => w !== '').join(', ') || 'no problems'
}

/** Relative to the working directory when that is shorter. */
export function shortPath(file: string): string {
  const near = relative(process.cwd(), file)
  return near !== '' && !near.startsWith('..') ? near : file
}
