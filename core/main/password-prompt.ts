import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { CommandFailure, EXIT } from './exit-codes.js'

/** A new password: asked for twice without echo on a terminal, else the first line of standard input. */
export async function readNewPassword(user: string): Promise<Uint8Array> {
  if (!process.stdin.isTTY) return checked(await firstLine())
  const once = await ask(`new password for ${user}: `)
  const twice = await ask('the same again: ')
  if (once !== twice) throw new CommandFailure(EXIT.failed, 'the two passwords differ')
  return checked(once)
}

/** A password that exists: asked for once without echo on a terminal, else the first line of standard input. May be empty. */
export async function readPassword(user: string): Promise<Uint8Array> {
  return Buffer.from(process.stdin.isTTY ? await ask(`password of ${user}: `) : await firstLine(), 'utf8')
}

function checked(password: string): Uint8Array {
  if (password === '') throw new CommandFailure(EXIT.failed, 'the password is empty')
  return Buffer.from(password, 'utf8')
}

function ask(prompt: string): Promise<string> {
  return new Promise((resolve, reject) => {
    process.stderr.write(prompt)
    // What is typed goes to an output that shows nothing.
    const mute = new Writable({ write: (_chunk, _encoding, done) => done() })
    const lines = createInterface({ input: process.stdin, output: mute, terminal: true })
    lines.once('line', (line) => {
      process.stderr.write('\n')
      lines.close()
      resolve(line)
    })
    lines.once('SIGINT', () => {
      process.stderr.write('\n')
      lines.close()
      reject(new CommandFailure(EXIT.failed, 'nothing was changed'))
    })
  })
}

async function firstLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin, terminal: false })
  try {
    for await (const line of lines) return line
    return ''
  } finally {
    lines.close()
  }
}
