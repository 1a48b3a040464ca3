import { failedWith, MailError, type Files, type OpenFile, type Sidecar, type SidecarKind, type Turns } from 'mailwright/api'
import { randomUUID } from 'node:crypto'

/** Kinds by id, each with values by key; values are Base64 of their octets. */
type Records = Record<string, Record<string, string>>

/** More than small records ever need. */
const LARGEST = 16 << 20

interface RecordFileParts {
  readonly files: Files
  readonly durable: boolean
  readonly path: string
  /** Changes, also of names, run under this key one after the other. */
  readonly turns: Turns
  readonly key: string
}

/** Small durable records in one file, which is replaced whole at each change. */
export class RecordFile implements Sidecar {
  readonly #p: RecordFileParts
  constructor(parts: RecordFileParts) {
    this.#p = parts
  }

  async get<T>(kind: SidecarKind<T>, key: string): Promise<T | undefined> {
    const value = own(own(await this.#settled(), kind.id), key)
    return value === undefined ? undefined : kind.codec.decode(Buffer.from(value, 'base64'))
  }
  async put<T>(kind: SidecarKind<T>, key: string, value: T | undefined): Promise<void> {
    const { turns, key: turn } = this.#p
    await turns.run(turn, async () => {
      const all = await this.#read()
      const records = new Map(Object.entries(own(all, kind.id) ?? {}))
      if (value === undefined) {
        if (!records.delete(key)) return
      } else records.set(key, Buffer.from(kind.codec.encode(value)).toString('base64'))
      const kinds = new Map(Object.entries(all))
      if (records.size === 0) kinds.delete(kind.id)
      else kinds.set(kind.id, Object.fromEntries(records))
      await this.#write(Buffer.from(JSON.stringify(Object.fromEntries(kinds))))
    })
  }
  async *each<T>(kind: SidecarKind<T>): AsyncGenerator<readonly (readonly [string, T])[]> {
    const records = Object.entries(own(await this.#settled(), kind.id) ?? {})
    if (records.length > 0) yield records.map(([key, value]) => [key, kind.codec.decode(Buffer.from(value, 'base64'))] as const)
  }

  /** After the changes that were begun before, so that a rename is whole. */
  async #settled(): Promise<Records> {
    await this.#p.turns.ended(this.#p.key)
    return this.#read()
  }
  async #read(): Promise<Records> {
    const { files, path } = this.#p
    let file: OpenFile
    try {
      file = await files.open(path)
    } catch (error) {
      if (failedWith(error, 'ENOENT', 'ENOTDIR')) return {}
      throw error
    }
    try {
      const { size } = await file.stat()
      if (size > LARGEST) throw new MailError('corrupt', `${path} is too large for records`)
      const bytes = Buffer.alloc(size)
      return recordsIn(JSON.parse(bytes.toString('utf8', 0, await file.read(bytes, 0))), path)
    } catch (error) {
      if (error instanceof SyntaxError) throw new MailError('corrupt', `${path} holds no records`, { cause: error })
      throw error
    } finally {
      await file.close()
    }
  }
  async #write(bytes: Buffer): Promise<void> {
    const { files, path, durable } = this.#p
    // What could not be read again is not written.
    if (bytes.length > LARGEST) throw new MailError('limit', 'the records of the mailbox are too large')
    const folder = path.slice(0, path.lastIndexOf('/'))
    await makeFolders(files, folder, durable)
    const next = `${path}.${randomUUID()}.new`
    try {
      const file = await files.open(next, { write: true, create: 'new', mode: 0o600 })
      try {
        await file.write([bytes], 0)
        if (durable) await file.sync()
      } finally {
        await file.close()
      }
      await files.rename(next, path)
      if (durable) await files.syncDirectory(folder)
    } catch (error) {
      await files.unlink(next).catch(() => undefined)
      throw error
    }
  }
}

/** Checked, since anybody may have written the file. */
function recordsIn(parsed: unknown, path: string): Records {
  const isTable = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x)
  if (isTable(parsed) && Object.values(parsed).every((kind) => isTable(kind) && Object.values(kind).every((value) => typeof value === 'string'))) return parsed as Records
  throw new MailError('corrupt', `${path} holds no records`)
}
/** Own members only: `constructor` is a key like others. */
function own<T>(of: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return of !== undefined && Object.hasOwn(of, key) ? of[key] : undefined
}
/** Makes a folder and its superiors, with names that last when asked. */
export async function makeFolders(files: Files, path: string, durable: boolean): Promise<void> {
  if (path === '' || (await files.stat(path)) !== undefined) return
  const above = path.slice(0, path.lastIndexOf('/'))
  await makeFolders(files, above, durable)
  try {
    await files.makeDirectory(path, 0o700)
    if (durable) await files.syncDirectory(above === '' ? '/' : above)
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error
  }
}
