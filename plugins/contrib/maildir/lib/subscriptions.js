import { failedWith, fileFailure, MailError } from 'mailwright/api'
import { decodeMailboxName, encodeMailboxName } from 'mailwright/toolkit'
import { makeFolders } from './folders.js'

const FILE = 'subscriptions'
/** Made exclusively, filled, and renamed to the file: lock and new content in one, for Dovecot as well. */
const LOCK = 'subscriptions.lock'
/** Without a change for so long it was left behind; Dovecot takes it over then, too. */
const STALE_MS = 30_000
const TIMEOUT_MS = 60_000
const PAUSE_MS = 25
/** More than anybody subscribes to. */
const LARGEST = 4 << 20
const HEAD = 'V\t2\n\n'

/**
 * `subscriptions` in a user's Maildir, as Dovecot keeps it: names in modified UTF-7, one a line. Version 2 begins with `V<TAB>2` and an empty line, and has tabs between the
 * parts of a name; version 1 has dots, as the folders have them. A file stays of the version that it is; lines that are not changed stay as they are.
 */
export class MaildirSubscriptions {
  #ctx
  constructor(ctx) {
    this.#ctx = ctx
  }
  #folder({ home }) {
    if (home === undefined) throw new MailError('unavailable', 'the user has no home directory for subscriptions')
    return this.#ctx.path === '' ? home : `${home}/${this.#ctx.path}`
  }

  async list(user) {
    const folder = this.#folder(user)
    try {
      const { lines, nameOf } = await this.#read(folder)
      return [...new Set(lines.map(nameOf).filter((name) => name !== undefined))]
    } catch (error) {
      throw fileFailure(error, "Can't read the subscriptions")
    }
  }
  async set(user, name, on) {
    const { files, delimiter, mailbox } = this.#ctx
    const folder = this.#folder(user)
    const wanted = canonical(name)
    if (wanted === '' || /[\0\r\n]/.test(wanted)) throw new MailError('denied', 'invalid name')
    try {
      await makeFolders(this.#ctx, folder, mailbox.directoryMode)
      const lock = await this.#lock(folder)
      let renamed = false
      try {
        const { version, lines, nameOf, mode } = await this.#read(folder)
        const known = lines.some((line) => nameOf(line) === wanted)
        if (on && known) return
        if (!on && !known) throw new MailError('not-found', `Not subscribed to mailbox ${wanted}`)
        const parts = wanted.split(delimiter).map((part) => encodeMailboxName(part))
        // Modified UTF-7 has no control characters, so nothing has to be escaped.
        const line = parts.join(version === 2 ? '\t' : '.')
        const after = on ? [...lines, line] : lines.filter((one) => nameOf(one) !== wanted)
        const text = Buffer.from(`${version === 2 ? HEAD : ''}${after.map((one) => `${one}\n`).join('')}`)
        if (text.length > LARGEST) throw new MailError('limit', 'there are too many subscriptions')
        await lock.write([text], 0)
        if (mode !== undefined) await lock.chmod(mode)
        if (mailbox.durability === 'full') await lock.sync()
        if ((await lock.stat()).inode !== (await files.lstat(`${folder}/${LOCK}`))?.inode) throw new MailError('in-use', 'the subscriptions were changed meanwhile')
        await files.rename(`${folder}/${LOCK}`, `${folder}/${FILE}`)
        renamed = true
      } finally {
        if (!renamed) await this.#giveBack(folder, lock)
        await lock.close()
      }
      if (mailbox.durability === 'full') await files.syncDirectory(folder)
    } catch (error) {
      throw fileFailure(error, "Can't write the subscriptions")
    }
  }
  /** The new file, which nobody else makes as long as it is there. */
  async #lock(folder) {
    const { files, clock, mailbox } = this.#ctx
    const path = `${folder}/${LOCK}`
    for (const deadline = clock.steady() + TIMEOUT_MS; ; ) {
      try {
        return await files.open(path, { write: true, create: 'new', mode: mailbox.fileMode })
      } catch (error) {
        if (!failedWith(error, 'EEXIST')) throw error
      }
      const other = await files.lstat(path)
      if (other !== undefined && clock.now() - Math.max(other.mtimeMs, other.ctimeMs) > STALE_MS) {
        await files.unlink(path).catch((error) => {
          if (!failedWith(error, 'ENOENT')) throw error
        })
      } else if (clock.steady() >= deadline) throw new MailError('in-use', 'another program is changing the subscriptions')
      else await new Promise((resolve) => clock.after(PAUSE_MS, resolve))
    }
  }
  async #giveBack(folder, lock) {
    const { files } = this.#ctx
    const path = `${folder}/${LOCK}`
    try {
      if ((await files.lstat(path))?.inode === (await lock.stat()).inode) await files.unlink(path)
    } catch {
      // It is taken over when it has not changed for a while.
    }
  }
  async #read(folder) {
    const { files, delimiter } = this.#ctx
    let file
    try {
      file = await files.open(`${folder}/${FILE}`)
    } catch (error) {
      if (failedWith(error, 'ENOENT', 'ENOTDIR')) return { version: 2, lines: [], nameOf: () => undefined, mode: undefined }
      throw error
    }
    try {
      const { size, mode } = await file.stat()
      if (size > LARGEST) throw new MailError('corrupt', `${folder}/${FILE} is too long for a list of mailboxes`)
      const octets = Buffer.alloc(size)
      const all = octets.subarray(0, await file.read(octets, 0)).toString('utf8').split('\n')
      const version = Number(/^V\t(\d+)$/.exec(all[0])?.[1] ?? 1)
      if (version > 2) throw new MailError('unsupported', `${folder}/${FILE} is of version ${version}`)
      const lines = all.slice(version === 2 ? 1 : 0).filter((line) => line !== '')
      const between = version === 2 ? '\t' : '.'
      return { version, lines, nameOf: (line) => canonical(line.split(between).map(decoded).join(delimiter)), mode: mode & 0o777 }
    } finally {
      await file.close()
    }
  }
}

/** INBOX is one name, however it is written. */
function canonical(name) {
  return name.toUpperCase() === 'INBOX' ? 'INBOX' : name
}
/** What no client could have sent is taken as it stands. */
function decoded(part) {
  const { name, problem } = decodeMailboxName(Buffer.from(part))
  return problem === undefined ? name : part
}
