import { mkdtemp, readdir, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fileNameOctets, fileNameOf, isTextName } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { immediateCalls } from '../../../core/os/immediate.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { SeededRandom } from '../../../core/testing/random.js'
import { seedOf } from '../../support/random.js'

describe('names of files (RFC 3629 §4)', () => {
  const names = [
    { name: 'ASCII', octets: '6162', text: 'ab' },
    { name: 'two, three and four octets', octets: 'c3a4e697a5f09f9880', text: 'ä日😀' },
    { name: 'ISO-8859-1', octets: '61e462', text: 'a\udce4b' },
    { name: 'U+FFFD itself beside an octet that is none', octets: 'efbfbdff', text: '\ufffd\udcff' },
    { name: 'an overlong slash', octets: 'c0af', text: '\udcc0\udcaf' },
    { name: 'an overlong letter of three octets', octets: 'e08180', text: '\udce0\udc81\udc80' },
    { name: 'a surrogate', octets: 'edb280', text: '\udced\udcb2\udc80' },
    { name: 'beyond Unicode', octets: 'f4908080', text: '\udcf4\udc90\udc80\udc80' },
    { name: 'a character that ends too early', octets: 'f09f98', text: '\udcf0\udc9f\udc98' },
    { name: 'and one after it', octets: 'e697c3a4', text: '\udce6\udc97ä' },
  ]
  test.each(names)('$name', ({ octets, text }) => {
    const name = fileNameOf(Buffer.from(octets, 'hex'))
    expect([name, Buffer.from(fileNameOctets(name)).toString('hex'), isTextName(name)]).toEqual([text, octets, !/[\udc80-\udcff]/u.test(text)])
  })
  const seed = seedOf('file-names')
  test(`whatever octets there are come back (seed ${seed})`, () => {
    const random = new SeededRandom(seed)
    for (let round = 0; round < 20_000; round++) {
      // Many first octets of characters, and many further ones.
      const octets = Buffer.from(Array.from({ length: random.below(9) }, () => [random.below(128), 128 + random.below(64), 192 + random.below(64)][random.below(3)] ?? 0))
      expect(Buffer.from(fileNameOctets(fileNameOf(octets))).equals(octets)).toBe(true)
    }
  })
})

describe.each([
  { how: 'of the machine', make: async () => new SystemFiles(await nativeLocks()) },
  { how: 'of a thread', make: async () => new SystemFiles(undefined, immediateCalls()) },
])('files $how whose names are no UTF-8', ({ make }) => {
  let dir = ''
  let files: SystemFiles
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-names-'))
    files = await make()
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))
  const onDisk = async (): Promise<string[]> => (await readdir(dir, { encoding: 'buffer' })).map((name) => name.toString('latin1')).sort()

  test('are made, found, renamed, linked and removed octet by octet', async () => {
    const [raw, other] = ['Entw\udcfcrfe', 'ende\udcff']
    const file = await files.open(join(dir, raw), { write: true, create: 'new', mode: 0o600 })
    await file.write([Buffer.from('hello')], 0)
    await file.close()
    // What a name looks like when octets are replaced is another file.
    await (await files.open(join(dir, 'Entw\ufffdrfe'), { write: true, create: 'new' })).close()
    expect(await onDisk()).toEqual(['Entw\xef\xbf\xbdrfe', 'Entw\xfcrfe'])
    expect((await files.list(dir)).map(({ name, kind }) => [name, kind]).sort()).toEqual([[raw, 'file'], ['Entw\ufffdrfe', 'file']].sort())
    expect([(await files.stat(join(dir, raw)))?.size, (await files.lstat(join(dir, raw)))?.size, (await files.stat(join(dir, 'Entw\ufffdrfe')))?.size]).toEqual([5, 5, 0])
    await files.link(join(dir, raw), join(dir, other))
    await files.rename(join(dir, raw), join(dir, `${raw}.new`))
    await files.chmod(join(dir, other), 0o640)
    await files.setTimes(join(dir, other), 1_600_000_000_000, 1_600_000_000_000)
    const stat = await files.stat(join(dir, `${raw}.new`))
    expect([stat?.mode, stat?.mtimeMs, stat?.links]).toEqual([0o640, 1_600_000_000_000, 2])
    await files.unlink(join(dir, other))
    await files.unlink(join(dir, `${raw}.new`))
    await files.makeDirectory(join(dir, raw), 0o700)
    await files.syncDirectory(join(dir, raw))
    expect(await files.list(join(dir, raw))).toEqual([])
    await files.removeDirectory(join(dir, raw))
    await files.unlink(join(dir, 'Entw\ufffdrfe'))
    expect(await onDisk()).toEqual([])
  })
  test('are what a link leads to', async () => {
    const raw = join(dir, 'Entw\udcfcrfe')
    await files.makeDirectory(raw, 0o700)
    await (await files.open(join(raw, '\ufffd \udc80'), { write: true, create: 'new' })).close()
    await symlink(Buffer.from(fileNameOctets(join(raw, '\ufffd \udc80'))), join(dir, 'link'))
    expect(await files.realPath(join(dir, 'link'))).toBe(join(await realpath(dir), 'Entw\udcfcrfe', '\ufffd \udc80'))
    expect(await files.realPath(join(raw, '.'))).toBe(join(await realpath(dir), 'Entw\udcfcrfe'))
  })
  test('are told by their names when they change', async () => {
    let told: (name: string | undefined) => void = () => undefined
    const name = new Promise<string | undefined>((resolve) => (told = resolve))
    const watching = files.watch(dir, (changed) => told(changed))
    await (await files.open(join(dir, 'n\udce4u'), { write: true, create: 'new' })).close()
    expect(await name).toBe('n\udce4u')
    watching[Symbol.dispose]()
  })
})
