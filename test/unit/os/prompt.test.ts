import { execFileSync } from 'node:child_process'
import { closeSync, constants, fstatSync, readFileSync } from 'node:fs'
import { lstat, mkdir, open, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { fileStat } from '../../../core/os/open-file.js'
import { Prompt } from '../../../core/os/prompt.js'
import { temporaryFolder } from '../../support/open-box.js'

const { O_DIRECTORY, O_RDONLY, O_RDWR, O_NOFOLLOW } = constants
const native = (await nativeLocks())?.names
/** What is none of this machine's has no major number. */
const isOnDisk = (device: number): boolean => ((device >>> 8) & 0xfff) !== 0

test.skipIf(native === undefined)('what is told at once is what node tells, to the last bit of a time', async () => {
  await using folder = temporaryFolder('stat')
  const at = (name: string): string => join(folder.path, name)
  await writeFile(at('file'), 'text', { mode: 0o640 })
  await mkdir(at('folder'), { mode: 0o700 })
  await symlink('file', at('link'))
  await writeFile(at('old'), '')
  await utimes(at('old'), -3600.25, -0.001)
  const large = await open(at('large'), 'w')
  await large.truncate(5 * 2 ** 32 + 17)
  for (const name of ['file', 'folder', 'link', 'old', 'large']) {
    // Whatever has just been looked up is in memory; on a disk of this machine it is told at once.
    const [followed, asIs] = [fileStat(await stat(at(name))), fileStat(await lstat(at(name)))]
    const onDisk = isOnDisk(followed.device)
    // To follow a link may take a change of its time of access, which waits for the disk.
    if (name !== 'link') expect({ name, told: native?.ofPath(at(name), true) }).toEqual({ name, told: onDisk ? followed : 'unknown' })
    expect({ name, told: native?.ofPath(at(name), false) }).toEqual({ name, told: onDisk ? asIs : 'unknown' })
  }
  const known = fileStat(await large.stat())
  expect(native?.ofDescriptor(large.fd)).toEqual(isOnDisk(known.device) ? known : 'unknown')
  await large.close()
})
test.skipIf(native === undefined)('what is on no device of this machine, or no path at all, is not told at once', async () => {
  await using folder = temporaryFolder('stat')
  const odd = ['/proc/self/status', `${folder.path}\0`, join(process.execPath, 'below')]
  expect([...odd.flatMap((path) => [native?.ofPath(path, true), native?.open(path, O_RDONLY)]), native?.ofDescriptor(-1)]).toEqual(Array(7).fill('unknown'))
})
test.skipIf(native === undefined)('a file is opened at once where its name is in memory, and nothing else is', async () => {
  await using folder = temporaryFolder('stat')
  const at = (name: string): string => join(folder.path, name)
  await writeFile(at('file'), 'text')
  await symlink('file', at('link'))
  execFileSync('mkfifo', [at('pipe')])
  const { device } = fileStat(await stat(at('file')))
  await lstat(at('none')).catch(() => undefined)
  for (const { path, flags, said } of [{ path: at('file'), flags: O_RDWR, said: /^flags:\t02[0-7]+2$/m }, { path: folder.path, flags: O_RDONLY | O_DIRECTORY, said: /^flags:\t02[0-7]+0$/m }]) {
    const opened = native?.open(path, flags)
    expect(typeof opened).toBe(isOnDisk(device) ? 'number' : 'string')
    if (typeof opened !== 'number') continue
    expect(fstatSync(opened).ino).toBe((await stat(path)).ino)
    // Closed when a program is started.
    expect(readFileSync(`/proc/self/fdinfo/${opened}`, 'utf8')).toMatch(said)
    closeSync(opened)
  }
  expect([folder.path, at('pipe')].map((path) => native?.open(path, O_RDONLY))).toEqual(['unknown', 'unknown'])
  expect(native?.open(at('link'), O_RDONLY | O_NOFOLLOW)).toBe('unknown')
  // Looked for just now: that it is missing is remembered.
  expect([native?.open(at('none'), O_RDONLY), native?.ofPath(at('none'), true)]).toEqual([undefined, undefined])
})
test.skipIf(native === undefined)('an open that finds nothing fails as it does in node', async () => {
  await using folder = temporaryFolder('stat')
  const path = join(folder.path, 'none')
  const wanted = await open(path).catch((error: unknown) => error)
  const failed = await new SystemFiles(await nativeLocks()).open(path).catch((error: unknown) => error)
  expect(failed).toEqual(wanted)
  expect({ ...(failed as object) }).toEqual({ ...(wanted as object) })
})
test('files are told whether or not the machine can answer at once', async () => {
  await using folder = temporaryFolder('stat')
  const path = join(folder.path, 'file')
  await writeFile(path, 'text')
  for (const files of [new SystemFiles(await nativeLocks()), new SystemFiles(undefined)]) {
    const wanted = fileStat(await stat(path))
    const file = await files.open(path)
    expect([await files.stat(path), await files.lstat(path), await file.stat()]).toEqual([wanted, wanted, wanted])
    expect([await files.stat(`${path}/below`), await files.lstat(join(folder.path, 'none'))]).toEqual([undefined, undefined])
    await file.close()
  }
  await expect(new SystemFiles(await nativeLocks()).stat('a\0b')).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
})
const told = fileStat(await stat('/'))
const answering = { ofPath: () => told, ofDescriptor: () => told, open: () => 'unknown' as const }
test('answers in a row that take no turn are few', async () => {
  const prompt = new Prompt(answering)
  let waited = 0
  const wait = async (): Promise<undefined> => {
    waited++
    await new Promise((resolve) => setImmediate(resolve))
    return undefined
  }
  const all = await Promise.all(Array.from({ length: 1000 }, () => prompt.ask((now) => now.ofPath('/', true), wait)))
  expect([all.filter((found) => found === told).length, waited]).toEqual([64, 936])
  expect(await prompt.ask((now) => now.ofPath('/', true), wait)).toBe(told)
})
const machines = [
  { name: 'again and again', each: [6, 6, 6, 6, 6], asked: 3 },
  { name: 'now and then', each: [6, 6, 1, 6, 6, 1, 6, 6], asked: 8 },
]
test.each(machines)('a machine whose calls take long $name is asked $asked times', async ({ each, asked }) => {
  let [ms, calls] = [0, 0]
  const prompt = new Prompt(answering, () => ms)
  for (const _ of each) {
    const slowly = (): typeof told => {
      ms += each[calls++] ?? 0
      return told
    }
    await prompt.ask(slowly, () => Promise.resolve(told))
  }
  expect(calls).toBe(asked)
})
