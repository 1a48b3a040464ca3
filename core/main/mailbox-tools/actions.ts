import { CommandFailure, EXIT } from '../exit-codes.js'
import { say, table } from '../terminal.js'
import { MailError, uids, type MailboxName } from '../../api/index.js'
import { criteria } from './criteria.js'
import { bare, fill, made, type Work } from './work.js'
import { printable, tell } from './telling.js'
import { transfer } from './transfer.js'
import { Progress } from './progress.js'
import { locate, withMailbox, withdraw } from './views.js'

/** Messages that are searched between two looks of the user. */
const AT_ONCE = 500

/** One word of `mailwright mailbox`: its arguments after the user, and what it does. It returns the exit code. */
export interface Action {
  readonly words: string
  readonly least: number
  readonly most: number
  run(work: Work, args: readonly string[]): Promise<number>
}

/** A new target that cannot be filled does not stay. */
async function fillNew(work: Work, [source = '', target = '']: readonly string[], remove: boolean): Promise<number> {
  const { mail, signal } = work
  await locate(mail, source, 'examine', signal)
  const fresh = made(target, work.format)
  await mail.create(fresh, { specialUse: [] }, signal)
  try {
    await fill(work, source, fresh, { remove })
    return EXIT.ok
  } catch (error) {
    const there = await withdraw(mail, bare(target))
    if (there === undefined || !(error instanceof MailError)) throw error
    throw new MailError(error.kind, `${error.message}; ${there} stays, with what was copied or came meanwhile`, { cause: error })
  }
}
/** The words that `mailwright mailbox` knows. */
export const ACTIONS: Readonly<Record<string, Action>> = {
  check: {
    words: '[MAILBOX]', least: 0, most: 1,
    async run({ mail, terminal, signal }, [name = 'INBOX']) {
      for await (const { recent, unseen, messages } of mail.figures([await locate(mail, name, 'status', signal)], signal)) {
        const news = recent === 0 ? 'No new messages' : `${recent} new message${recent === 1 ? '' : 's'} (${unseen} unseen)`
        tell(terminal.out, `${news}, ${messages} total in ${name}`)
      }
      return EXIT.ok
    },
  },
  list: {
    words: '[PATTERN]', least: 0, most: 1,
    async run({ mail, terminal, signal }, [pattern = '*']) {
      const rows: string[][] = []
      for await (const batch of mail.list({ reference: '' as MailboxName, patterns: [pattern] }, signal)) {
        for (const { name, attributes } of batch) rows.push([printable(name), [...attributes].join(' ')])
      }
      if (rows.length > 0) say(terminal.out, table(rows))
      return EXIT.ok
    },
  },
  create: {
    words: 'MAILBOX', least: 1, most: 1,
    async run({ mail, signal, format }, [name = '']) {
      await mail.create(made(name, format), { specialUse: [] }, signal)
      return EXIT.ok
    },
  },
  delete: {
    words: 'MAILBOX', least: 1, most: 1,
    async run({ mail, signal }, [name = '']) {
      await mail.remove(await locate(mail, name, 'remove', signal), signal)
      return EXIT.ok
    },
  },
  rename: {
    words: 'OLD NEW', least: 2, most: 2,
    async run({ mail, signal }, [old = '', name = '']) {
      await mail.rename(await locate(mail, old, 'rename', signal), name as MailboxName, signal)
      return EXIT.ok
    },
  },
  copy: { words: 'SOURCE NEW', least: 2, most: 2, run: (work, args) => fillNew(work, args, false) },
  move: { words: 'SOURCE NEW', least: 2, most: 2, run: (work, args) => fillNew(work, args, true) },
  append: {
    words: 'SOURCE TARGET', least: 2, most: 2,
    async run(work, [source = '', target = '']) {
      await fill(work, source, target, {})
      return EXIT.ok
    },
  },
  appenddelete: {
    words: 'SOURCE TARGET', least: 2, most: 2,
    async run(work, [source = '', target = '']) {
      await fill(work, source, target, { remove: true })
      return EXIT.ok
    },
  },
  prune: {
    words: 'MAILBOX CRITERIA', least: 2, most: Number.POSITIVE_INFINITY,
    async run({ mail, terminal, signal, dryRun }, [name = '', ...words]) {
      await withMailbox(mail, name, dryRun ? 'read-only' : 'read-write', signal, async (view) => {
        const query = criteria(words.join(' '), view)
        using progress = new Progress(terminal, name, view.announced)
        let hits = uids.none
        for (let from = 1; from <= view.announced; from += AT_ONCE) {
          const to = Math.min(view.announced, from + AT_ONCE - 1)
          hits = hits.or(await view.search(query, view.uidsOf(view.resolve({ pairs: Uint32Array.of(from, to) }, 'seq')), signal))
          progress.step(to - from + 1)
        }
        const count = dryRun || hits.count === 0 ? hits.count : (await view.remove(hits, signal)).count
        if (count === 0) tell(terminal.out, 'No matching messages, so nothing purged')
        else tell(terminal.out, `${count} message${count === 1 ? '' : 's'} ${dryRun ? 'would be ' : ''}purged`)
      })
      return EXIT.ok
    },
  },
  transfer: {
    words: 'SOURCE [TARGET]', least: 1, most: 2,
    async run(work, [source = '', target]) {
      if (target === undefined && work.format === undefined) throw new CommandFailure(EXIT.usage, 'transfer needs a target, or --to FORMAT for another format in place')
      return transfer(work, source, target)
    },
  },
}
