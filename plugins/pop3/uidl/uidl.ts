import type { Maildrop, Pop3Command } from 'mailwright/api'
import { parseNumber } from 'mailwright/toolkit'
import type { UidlFormat } from './formats.js'

/** RFC 1939 §7. The ids are as stable as UIDVALIDITY and UIDs are: IMAP shows the same ones. */
export function uidlCommand(format: UidlFormat): Pop3Command {
  return {
    name: 'UIDL',
    states: ['transaction'],
    async run({ words: [word] }, { drop, out }) {
      if (drop === undefined) return { kind: 'err', text: 'No such message' }
      if (word !== undefined) return one(parseNumber(word), drop, format)
      out.ok('Unique-ID listing follows')
      await out.listing(drop.count, (n) => (drop.has(n) ? `${n} ${format(drop.uidValidity, drop.uid(n))}` : undefined))
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
