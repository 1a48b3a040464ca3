import { lstat, mkdir, open, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { fileStat } from '../../../core/os/open-file.js'
import { PromptStat } from '../../../core/os/prompt-stat.js'
import { temporaryFolder } from '../../support/open-box.js'

const native = (await nativeLocks())?.stat
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
    if (name !== 'link') expect({ name, told: native?.ofPath(at(name), true) }).toEqual({ name, told: onDisk ? followed : undefined })
    expect({ name, told: native?.ofPath(at(name), false) }).toEqual({ name, told: onDisk ? asIs : undefined })
  }
  const known = fileStat(await large.stat())
  expect(native?.ofDescriptor(large.fd)).toEqual(isOnDisk(known.device) ? known : undefined)
  await large.close()
})
test.skipIf(native === undefined)('what is missing, on no device of this machine, or no path at all is not told at once', async () => {
  await using folder = temporaryFolder('stat')
  expect([native?.ofPath(join(folder.path, 'none'), true), native?.ofPath('/proc/self/status', true), native?.ofPath(`${folder.path}\0`, true), native?.ofDescriptor(-1)]).toEqual([
    undefined, undefined, undefined, undefined,
  ])
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
test('answers in a row that take no turn are few', async () => {
  const told = fileStat(await stat('/'))
  const prompt = new PromptStat({ ofPath: () => told, ofDescriptor: () => told })
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
