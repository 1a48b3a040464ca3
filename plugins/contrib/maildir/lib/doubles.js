import { failedWith } from 'mailwright/api'
import { baseOf, infoIn, isNew } from './columns.js'
import { infoOf, parseInfo } from './file-name.js'
import { uniqueName } from './unique-name.js'

/*
 * Two names of one message: a rename that was made by a link and stopped half way, a folder that came out of a backup into the one that went on. One file, or two with
 * the same octets, are one message with the flags of both; other octets are another message and get a name of their own. Dovecot does the same with one file, and calls
 * every other a message of its own.
 */

/** Nobody is in the middle of a change of a file that was left alone for so long; Dovecot waits as long. */
const QUIET_MS = 30_000
const PIECE = 1 << 16

/** Names of messages that have several, as they were listed last; that of the row is one of them. */
export class Doubles {
  #names = new Map()
  of(base) {
    return this.#names.get(base) ?? []
  }
  /** Whether this is the name of such a message, and not the one that its row has (`own`). */
  isOther(file, own) {
    return file !== own && this.of(baseOf(file)).includes(file)
  }
  /** This process took the name away. */
  drop(file) {
    const names = this.of(baseOf(file))
    if (names.includes(file)) this.#names.set(baseOf(file), names.filter((name) => name !== file))
  }
  /** `doubled`: names by base, in these folders; those in others stay. */
  put(folders, doubled) {
    const isListed = (file) => folders.some((folder) => file.startsWith(`${folder}/`))
    for (const [base, names] of this.#names) {
      const left = names.filter((file) => !isListed(file))
      if (left.length > 0) this.#names.set(base, left)
      else this.#names.delete(base)
    }
    for (const [base, names] of doubled) this.#names.set(base, [...new Set([...this.of(base), ...names])])
  }
}

/** Bases that several of the files have, with those files. */
export function doubledIn(files) {
  const [first, doubled] = [new Map(), new Map()]
  for (const file of files) {
    const base = baseOf(file)
    const other = first.get(base)
    if (other === undefined) first.set(base, file)
    else doubled.set(base, [...(doubled.get(base) ?? [other]), file])
  }
  return doubled
}
/** Of two names that no row has: the one in `cur`, and always the same. */
export function firstOf(some, other) {
  if (isNew(some) !== isNew(other)) return isNew(some) ? other : some
  return some < other ? some : other
}

/**
 * Makes one name of each message, as far as nobody may be in the middle of something. `doubled`: names by base; `kept`: the one of its row, by base. `gone`: names that are no
 * more, or never were there at the same time as the others; `isChanged`: the folders are to be listed once more; `again`: when (ms) something is to be looked at that was left.
 */
export async function settleDoubles(folder, doubled, kept, signal) {
  const { files, path, ctx } = folder
  const [gone, ripe] = [new Set(), []]
  let again = Infinity
  for (const [base, names] of doubled) {
    const there = await statsOf(folder, names)
    for (const file of names) if (!there.has(file)) gone.add(file)
    if (there.size < 2) continue
    const quietAt = Math.max(...[...there.values()].map(({ ctimeMs }) => ctimeMs)) + QUIET_MS
    if (quietAt <= ctx.clock.now()) ripe.push([base, names])
    else again = Math.min(again, quietAt)
  }
  if (ripe.length === 0) return { gone, again, isChanged: false }
  try {
    await folder.locked(signal, async () => {
      for (const [base, names] of ripe) {
        const touched = new Set()
        try {
          await unite(folder, names, kept.get(base), touched)
        } finally {
          for (const name of touched) await folder.sync(name)
        }
      }
    })
  } catch (error) {
    if ((await files.stat(path)) === undefined || !failedWith(error, 'ENOENT', 'EEXIST', 'EROFS', 'EACCES', 'EPERM')) throw error
    // Somebody gave one of them another name in this moment: it is told by the next listing, and the rest is done when that is quiet.
    if (failedWith(error, 'ENOENT', 'EEXIST')) return { gone, again: Math.min(again, ctx.clock.now() + QUIET_MS), isChanged: true }
    // There they stay what they are, and one of them counts.
    ctx.logger.warn('maildir.two-names-stay', { path, error })
  }
  return { gone, again, isChanged: true }
}
async function statsOf({ files, path }, names) {
  const there = new Map()
  for (const file of names) {
    const stat = await files.lstat(`${path}/${file}`)
    if (stat !== undefined) there.set(file, stat)
  }
  return there
}
/** With the UID list locked, under which Dovecot does it too. The kept name, or the oldest file, has the message's UID. */
async function unite(folder, names, kept, touched) {
  const { files, path, ctx } = folder
  const there = await statsOf(folder, names)
  // What is no file is not for us to remove.
  if ([...there.values()].some(({ kind }) => kind !== 'file')) return
  const [one, ...others] = [...there.keys()].sort((a, b) => Number(b === kept) - Number(a === kept) || there.get(a).mtimeMs - there.get(b).mtimeMs || (firstOf(a, b) === a ? -1 : 1))
  let here = one
  for (const other of others) {
    if (await isSame(folder, [here, there.get(one)], [other, there.get(other)])) here = await uniteTwo(folder, here, other, isOneFile(there.get(one), there.get(other)), touched)
    else {
      const to = `${other.slice(0, 4)}${uniqueName(ctx)}${infoIn(other)}`
      await files.renameToFree(`${path}/${other}`, `${path}/${to}`)
      touched.add(other.slice(0, 3))
      ctx.logger.warn('maildir.two-messages', { path, name: other, now: to })
    }
  }
}
/** Gives one file the flags of both names, and takes the other name away; returns the name that it has now. */
async function uniteTwo(folder, here, other, isLink, touched) {
  const { files, path } = folder
  const target = await freeName(folder, unitedName(here, other), here, other)
  touched.add(here.slice(0, 3)).add(other.slice(0, 3)).add(target.slice(0, 3))
  // A rename to another name of the same file does nothing (POSIX rename()).
  if (target === other && isLink) await files.unlink(`${path}/${here}`)
  else {
    // The other name has the same octets, and may be replaced.
    if (target === other) await files.rename(`${path}/${here}`, `${path}/${target}`)
    else if (target !== here) await files.renameToFree(`${path}/${here}`, `${path}/${target}`)
    if (target !== other) {
      await folder.sync(target.slice(0, 3))
      await files.unlink(`${path}/${other}`)
    }
  }
  return target
}
function unitedName(here, other) {
  const [some, more] = [parseInfo(infoIn(here)), parseInfo(infoIn(other))]
  const flags = { system: some.system | more.system, keywords: some.keywords | more.keywords, other: [...new Set(some.other + more.other)].join('') }
  const info = infoOf(flags)
  return isNew(here) && isNew(other) ? `new/${baseOf(here)}${info === ':2,' ? '' : info}` : `cur/${baseOf(here)}${info}`
}
/** A third file may have the name; then the flags stay as they are. */
async function freeName({ files, path }, target, here, other) {
  return target === here || target === other || (await files.lstat(`${path}/${target}`)) === undefined ? target : here
}
/** Whether two names are links of one file. */
export function isOneFile(some, more) {
  return some.inode === more.inode && some.device === more.device
}
async function isSame({ files, path }, [here, some], [other, more]) {
  if (isOneFile(some, more)) return true
  if (some.size !== more.size) return false
  const opened = []
  try {
    for (const file of [here, other]) opened.push(await files.open(`${path}/${file}`, { keepAccessTime: true }))
    for (let at = 0; at < some.size; at += PIECE) {
      const [a, b] = await Promise.all(opened.map((file) => pieceOf(file, at)))
      if (!a.equals(b)) return false
    }
    return true
  } finally {
    for (const file of opened) await file.close()
  }
}
async function pieceOf(file, at) {
  const piece = Buffer.alloc(PIECE)
  return piece.subarray(0, await file.read(piece, at))
}
