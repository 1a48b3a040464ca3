import { MailError, type Clock, type Files, type OpenFile, type Sidecar, type SidecarKind } from 'mailwright/api'

/** Kinds by id, each with values by key; values are Base64 of their octets. */
type Records = Record<string, Record<string, string>>

/** More than small records ever need. */
const LARGEST = 16 << 20

/** Small durable records in one file, which is replaced whole at each change. */
export class RecordFile implements Sidecar {
  readonly #files: Files
  readonly #clock: Clock
  readonly #path: () => string
  readonly #turn: <T>(path: string, work: () => Promise<T>) => Promise<T>

  /** `path` is asked each time, since the mailbox may change its name; `turn` runs the changes of one file one after the other. */
  constructor(files: Files, clock: Clock, path: () => string, turn: <T>(path: string, work: () => Promise<T>) => Promise<T>) {
    this.#files = files
    this.#clock = clock
    this.#path = path
    this.#turn = turn
  }

  async get<T>(kind: SidecarKind<T>, key: string): Promise<T | undefined> {
    const value = own(own(await this.#read(this.#path()), kind.id), key)
    return value === undefined ? undefined : kind.codec.decode(Buffer.from(value, 'base64'))
  }
  async put<T>(kind: SidecarKind<T>, key: string, value: T | undefined): Promise<void> {
    const path = this.#path()
    await this.#turn(path, async () => {
      const all = await this.#read(path)
      const records = new Map(Object.entries(own(all, kind.id) ?? {}))
      if (value === undefined) records.delete(key)
      else records.set(key, Buffer.from(kind.codec.encode(value)).toString('base64'))
      const kinds = new Map(Object.entries(all))
      if (records.size === 0) kinds.delete(kind.id)
      else kinds.set(kind.id, Object.fromEntries(records))
      await this.#write(path, Object.fromEntries(kinds))
    })
  }
  async *each<T>(kind: SidecarKind<T>): AsyncGenerator<readonly (readonly [string, T])[]> {
    const records = Object.entries(own(await this.#read(this.#path()), kind.id) ?? {})
    if (records.length > 0) yield records.map(([key, value]) => [key, kind.codec.decode(Buffer.from(value, 'base64'))] as const)
  }

  async #read(path: string): Promise<Records> {
    let file: OpenFile
    try {
      file = await this.#files.open(path)
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return {}
      throw error
    }
    try {
      const { size } = await file.stat()
      if (size > LARGEST) throw new MailError('corrupt', `${path} is too large for records`)
      const bytes = Buffer.alloc(size)
      await file.read(bytes, 0)
      return JSON.parse(bytes.toString()) as Records
    } catch (error) {
      if (error instanceof SyntaxError) throw new MailError('corrupt', `${path} holds no records`, { cause: error })
      throw error
    } finally {
      await file.close()
    }
  }
  async #write(path: string, records: Records): Promise<void> {
    const folder = path.slice(0, path.lastIndexOf('/'))
    await makeFolders(this.#files, folder)
    const next = `${path}.${process.pid}.${this.#clock.now().toString(36)}.new`
    try {
      const file = await this.#files.open(next, { write: true, create: 'new', mode: 0o600 })
      try {
        await file.write([Buffer.from(JSON.stringify(records))], 0)
        await file.sync()
      } finally {
        await file.close()
      }
      await this.#files.rename(next, path)
      await this.#files.syncDirectory(folder)
    } catch (error) {
      await this.#files.unlink(next).catch(() => undefined)
      throw error
    }
  }
}

/** Own members only: `constructor` is a key like others. */
function own<T>(of: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return of !== undefined && Object.hasOwn(of, key) ? of[key] : undefined
}
/** Makes a folder, its superiors, and their names durable. */
export async function makeFolders(files: Files, path: string): Promise<void> {
  if (path === '' || (await files.stat(path)) !== undefined) return
  const above = path.slice(0, path.lastIndexOf('/'))
  await makeFolders(files, above)
  try {
    await files.makeDirectory(path, 0o700)
    await files.syncDirectory(above === '' ? '/' : above)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}
