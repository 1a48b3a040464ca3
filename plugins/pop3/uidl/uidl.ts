import type { Maildrop, Pop3Command } from 'mailwright/api'
import { parseNumber } from 'mailwright/toolkit'
import type { UidlFormat } from './formats.js'

/** Lines between two looks at whether the client keeps up. */
const LINES_PER_LOOK = 256

/** RFC 1939 §7. The ids are as stable as UIDVALIDITY and UIDs are: IMAP shows the same ones. */
export function uidlCommand(format: UidlFormat): Pop3Command {
  return {
    name: 'UIDL',
    states: ['transaction'],
    async run({ words: [word] }, { drop, out }) {
      if (drop === undefined) return { kind: 'err', text: 'No such message' }
      if (word !== undefined) return one(parseNumber(word), drop, format)
      out.ok('Unique-ID listing follows')
      for (let n = 1; n <= drop.count; n++) {
        if (drop.has(n)) out.number(n).raw(' ').raw(format(drop.uidValidity, drop.uid(n))).endLine()
        const wait = n % LINES_PER_LOOK === 0 ? out.room() : undefined
        if (wait !== undefined) await wait
      }
      out.end()
      return { kind: 'sent' }
    },
  }
}

function one(n: number | undefined, drop: Maildrop, format: UidlFormat): ReturnType<Pop3Command['run']> {
  if (n === undefined) return { kind: 'err', text: 'Bad message number argument' }
  if (!drop.has(n)) return { kind: 'err', text: 'No such message' }
  return { kind: 'ok', text: `${n} ${format(drop.uidValidity, drop.uid(n))}` }
}
