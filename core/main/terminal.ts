import type { Writable } from 'node:stream'
import { EXIT } from './exit-codes.js'

/** Where a command writes, and what may be assumed of it. */
export interface Terminal {
  readonly out: Writable
  readonly err: Writable
  /** Escape sequences are understood and wanted on `out`. */
  readonly colours: boolean
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

/** The standard streams of this process. */
export function processTerminal(env: NodeJS.ProcessEnv = process.env): Terminal {
  const colours = process.stdout.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  return { out: process.stdout, err: process.stderr, colours }
}

function exitUnread(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok)
}
/** A reader that has seen enough (head, less) is no failure, and the end of the command. */
export function exitWhenUnread(): void {
  process.stdout.on('error', exitUnread)
}
/** From now on standard output is a mail client's, whose session ends in order when the client is gone. */
export function lendOutput(): void {
  process.stdout.off('error', exitUnread)
}

/** Text in a colour, or as it is. */
export function paint(terminal: Pick<Terminal, 'colours'>, how: keyof typeof CODES, text: string): string {
  return terminal.colours ? `\u001B[${CODES[how]}m${text}\u001B[0m` : text
}

/** One line. */
export function say(to: Writable, text = ''): void {
  to.write(`${text}\n`)
}

/** Rows with their columns aligned. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
  return rows.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  ').trimEnd()).join('\n')
}
