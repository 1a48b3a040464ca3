import { failedWith, MailError } from 'mailwright/api'

/*
 * `dovecot-uidvalidity.HHHHHHHH` in the Maildir itself, an empty file: the highest UIDVALIDITY that any of its mailboxes got, in hexadecimal. It is renamed for the next
 * one, so that nobody gets the same (Dovecot's `dovecot-uidvalidity` beside it says where that was last; it looks itself where it is not any more).
 */

const HIGHEST = /^dovecot-uidvalidity\.([0-9a-f]{8})$/
const MAX = 0xffffffff
const TRIES = 100

/**
 * A UIDVALIDITY for a new mailbox: no mailbox of the Maildir has or had it, as far as is noted, so that one that is deleted and made anew within a second has another
 * (RFC 9051 §2.3.1.1). It is not below `atLeast` and not below the clock.
 */
export async function nextUidValidity(folder, atLeast = 1) {
  const now = Math.floor(folder.ctx.clock.now() / 1000)
  return noted(folder, (highest) => Math.max(1, now, atLeast, highest + 1))
}
/** A mailbox has this one, or had it: the next is above. */
export async function noteUidValidity(folder, validity) {
  await noted(folder, (highest) => Math.max(validity, highest))
}
async function noted({ files, place: { root } }, wanted) {
  const nameOf = (validity) => `${root}/dovecot-uidvalidity.${validity.toString(16).padStart(8, '0')}`
  for (let tries = 0; tries < TRIES; tries++) {
    const highest = await highestIn(files, root)
    const next = wanted(highest)
    if (next > MAX) throw new MailError('limit', `${root}: there are no more UIDVALIDITYs`)
    if (next === highest) return next
    try {
      if (highest > 0) await files.rename(nameOf(highest), nameOf(next))
      else await (await files.open(nameOf(next), { write: true, create: 'new', mode: 0o444 })).close()
      return next
    } catch (error) {
      // There nobody else notes any either.
      if (failedWith(error, 'EACCES', 'EPERM', 'EROFS')) return next
      // Somebody else was sooner.
      if (!failedWith(error, 'ENOENT', 'EEXIST')) throw error
    }
  }
  throw new MailError('in-use', `${root}: other programs make mailboxes again and again`)
}
async function highestIn(files, root) {
  let highest = 0
  for (const { name } of await files.list(root)) highest = Math.max(highest, Number.parseInt(HIGHEST.exec(name)?.[1] ?? '0', 16))
  return highest
}
