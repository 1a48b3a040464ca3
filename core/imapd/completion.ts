import type { ImapCompletion, ImapWriter } from '../api/index.js'
import { cut } from './texts.js'

const WORDS = { ok: 'OK', no: 'NO', bad: 'BAD' } as const
const DEFAULT_TEXTS = {
  ok: (command: string) => `${command} completed`,
  no: (command: string) => `${command} failed`,
  bad: (command: string) => `Missing or invalid argument to ${command}`,
} as const

/** Writes `<tag> OK [CODE] text`; without a tag, the untagged line. */
export function writeCompletion(out: ImapWriter, tag: string | undefined, command: string, done: ImapCompletion): void {
  out.raw(tag ?? '*').raw(' ').raw(WORDS[done.kind]).raw(' ')
  if (done.code !== undefined) {
    out.raw('[').raw(done.code.name)
    done.code.write?.(out)
    out.raw('] ')
  }
  out.raw(cut(done.text ?? DEFAULT_TEXTS[done.kind](command))).endLine()
}
