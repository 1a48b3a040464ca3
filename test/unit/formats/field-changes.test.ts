import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { OpenFile } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { runSeed, SeededRandom } from '../../../core/testing/random.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { PROOF, proofOf, tailOf } from '../../../plugins/formats/shared/changes/ahead-format.js'
import type { Dialect, Fields } from '../../../plugins/formats/shared/fixed/dialect.js'
import { fieldChanges } from '../../../plugins/formats/shared/fixed/field-changes.js'
import type { Held } from '../../../plugins/formats/shared/fixed/fixed-file.js'
import { Patches, type FieldsChange } from '../../../plugins/formats/shared/fixed/patches.js'
import { temporaryFolder } from '../../support/open-box.js'

const random = new SeededRandom(runSeed)
const native = new SystemFiles(await nativeLocks())
/** What of the text must be written for it to stand where the old one does. */
function difference(old: string, fresh: string): { readonly from: number; readonly text: string } | undefined {
  const places = [...fresh].flatMap((c, i) => (c === old[i] ? [] : [i]))
  const [first] = places
  return first === undefined ? undefined : { from: first, text: fresh.slice(first, (places.at(-1) ?? 0) + 1) }
}
const change = (dialect: Dialect): FieldsChange => ({
  set: random.below(64) & random.below(64), clear: random.below(64) & random.below(64),
  ...(random.below(4) === 0 && { setKeywords: random.below(1 << 20) & random.below(1 << 20), clearKeywords: random.below(1 << 20) }),
  ...(dialect.header !== undefined && random.below(8) === 0 && { uid: random.below(1 << 30) }),
})
const ways = [
  { name: 'many close together', messages: 600, apart: 300, files: native },
  { name: 'few', messages: 40, apart: 300, files: native },
  { name: 'many far apart', messages: 300, apart: 20_000, files: native },
  { name: 'many far apart that are read one by one', messages: 300, apart: 20_000, files: new SystemFiles(undefined) },
]
const cases = [mbxDialect, mtxDialect].flatMap((dialect) => ways.map((way) => ({ ...way, dialect, title: dialect.title })))

test.each(cases)(`changes of fields are those of their texts: $title, $name (MAILWRIGHT_SEED=${runSeed})`, async ({ dialect, messages, apart, files }) => {
  await using folder = temporaryFolder('fields')
  const path = join(folder.path, 'box')
  const octets = Buffer.alloc(100 + messages * apart, 'Mon, 12:34, and what else stands between messages; ')
  const patches = new Patches()
  const singles: unknown[] = []
  const longer: unknown[] = []
  for (let n = 0; n < messages; n++) {
    const at = 50 + n * apart + random.below(50)
    const old: Fields = { keywords: random.below(1 << 20), flags: random.below(64), uid: dialect.header === undefined ? 0 : n + 1 }
    const text = dialect.writeFields(old)
    octets.write(text, at, 'latin1')
    const { set = 0, clear = 0, setKeywords = 0, clearKeywords = 0, uid = old.uid } = random.below(3) === 0 ? {} : change(dialect)
    patches.push(n, at, { set, clear, setKeywords, clearKeywords, uid })
    const fresh = { keywords: (old.keywords & ~clearKeywords) | setKeywords, flags: (old.flags & ~clear) | set, uid }
    const found = difference(text, dialect.writeFields(fresh))
    if (found === undefined) continue
    const { from, text: wanted } = found
    if (wanted.length > 1) longer.push([at + from, wanted])
    else singles.push([at + from, text[from], wanted, PROOF + from, proofOf(octets, at - PROOF, tailOf(dialect.fieldsLength))])
  }
  await writeFile(path, octets)
  const file: OpenFile = await files.open(path)
  const held: Held = { file, stat: await file.stat(), mark: 0, named: true, ahead: undefined }
  const found = await fieldChanges(held, dialect, patches)
  await file.close()
  const { at, old, octets: wanted, back, proof } = found.single
  expect([...at].map((place, n) => [place, String.fromCharCode(old[n] ?? 0), String.fromCharCode(wanted[n] ?? 0), back[n], proof[n]])).toEqual(singles)
  expect([old, wanted, back, proof].map(({ length }) => length)).toEqual(Array.from({ length: 4 }, () => singles.length))
  expect(found.longer.map((c) => [c.at, Buffer.from(c.octets).toString('latin1')])).toEqual(longer)
})
test('what are no fields is refused before anything is said of the others', async () => {
  await using folder = temporaryFolder('fields')
  const path = join(folder.path, 'box')
  await writeFile(path, `${'-'.repeat(40)}00000000000\u0001-00000001`, 'latin1')
  const file = await native.open(path)
  const patches = new Patches()
  patches.push(6, 40, { set: 1 })
  await expect(fieldChanges({ file, stat: await file.stat(), mark: 0, named: true, ahead: undefined }, mbxDialect, patches)).rejects.toThrow('Invalid flags for message 7 (40 21): 00000000000?-00000001')
  await file.close()
})
