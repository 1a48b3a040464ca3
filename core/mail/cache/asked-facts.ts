import type { Clock, Files } from '../../api/index.js'
import { readWhole, replaceFile } from './directories.js'

const DAY_MS = 86_400_000
/** Days after which nobody asks any more. */
const LATELY_DAYS = 30
/** How long it is believed that there is no record: it is looked for with each delivery. */
const NOTHING_MS = 5000
/** More names than plugins make facts is no file of ours. */
const MOST_FACTS = 256

/** Day (since 1970, UTC) of the last question, by id of the fact. */
type Days = Map<string, number>
interface AskedRecord {
  readonly days: Days
  /** UIDVALIDITY, and the uid up to which facts were made as messages arrived. */
  made: readonly [number, number] | undefined
}

/**
 * Which facts clients asked for, in this mailbox and anywhere in the account, to the day, and how far they were made. A mailbox without a record of
 * its own takes over the account's, and keeps it as long as clients ask in it. Losing a record costs time only; what is no record is as none.
 */
export class AskedFacts {
  readonly #files: Files
  readonly #paths: { readonly mailbox: string; readonly account: string }
  readonly #clock: Clock
  #own: AskedRecord | undefined
  #nothingUntil = -Infinity
  /** What this mailbox told the account. */
  readonly #told: Days = new Map()
  #work: Promise<unknown> = Promise.resolve()
  constructor(files: Files, paths: { readonly mailbox: string; readonly account: string }, clock: Clock) {
    this.#files = files
    this.#paths = paths
    this.#clock = clock
  }
  /** Written at most once a day for each fact. */
  async note(ids: readonly string[]): Promise<void> {
    const today = this.#today()
    const fresh = ids.filter((id) => this.#told.get(id) !== today)
    if (fresh.length === 0) return
    for (const id of fresh) this.#told.set(id, today)
    await this.#next(async () => {
      const own = await this.#record()
      for (const id of fresh) own.days.set(id, today)
      this.#own = own
      await this.#write(this.#paths.mailbox, own)
      // Others write the account's record too.
      const all = (await this.#read(this.#paths.account)) ?? emptyRecord()
      if (fresh.every((id) => all.days.get(id) === today)) return
      for (const id of fresh) all.days.set(id, today)
      await this.#write(this.#paths.account, all)
    })
  }
  /** Facts that were asked for in the last 30 days; undefined: nobody ever asked for any in the account, as far as is known. */
  lately(): Promise<readonly string[] | undefined> {
    return this.#next(async () => {
      if (this.#own === undefined && this.#clock.steady() < this.#nothingUntil) return undefined
      const { days } = await this.#record()
      if (this.#own !== undefined || (await this.#read(this.#paths.account)) !== undefined) return this.#recent(days)
      this.#nothingUntil = this.#clock.steady() + NOTHING_MS
      return undefined
    })
  }
  madeTo(uidValidity: number): Promise<number | undefined> {
    return this.#next(async () => {
      const { made } = await this.#record()
      return made?.[0] === uidValidity ? made[1] : undefined
    })
  }
  made(uidValidity: number, uid: number): Promise<void> {
    return this.#next(async () => {
      const own = await this.#record()
      if (own.made?.[0] === uidValidity && own.made[1] === uid) return
      own.made = [uidValidity, uid]
      this.#own = own
      await this.#write(this.#paths.mailbox, own)
    })
  }
  /** Resolves when what was noted is written, or could not be. */
  async settled(): Promise<void> {
    await this.#work
  }
  #today(): number {
    return Math.floor(this.#clock.now() / DAY_MS)
  }
  #recent(days: Days): string[] {
    const today = this.#today()
    // A clock that was wrong once must not keep a record for ever.
    return [...days].filter(([, day]) => day <= today && today - day <= LATELY_DAYS).map(([id]) => id)
  }
  async #record(): Promise<AskedRecord> {
    if (this.#own !== undefined) return this.#own
    const kept = await this.#read(this.#paths.mailbox)
    if (kept !== undefined) return (this.#own = kept)
    const today = this.#today()
    const account = await this.#read(this.#paths.account)
    const taken: Days = new Map(this.#recent(account?.days ?? new Map()).map((id) => [id, today]))
    const record = { days: taken, made: undefined }
    // With nothing to take over, the account is asked again.
    if (taken.size === 0) return record
    this.#own = record
    await this.#write(this.#paths.mailbox, record).catch(() => undefined)
    return record
  }
  async #read(path: string): Promise<AskedRecord | undefined> {
    const bytes = await readWhole(this.#files, path).catch(() => undefined)
    return bytes === undefined ? undefined : decode(bytes)
  }
  async #write(path: string, { days, made }: AskedRecord): Promise<void> {
    const recent = this.#recent(days).map((id) => [id, days.get(id)] as const)
    await replaceFile(this.#files, path, Buffer.from(JSON.stringify({ days: Object.fromEntries(recent), made })))
  }
  #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work)
    this.#work = result.catch(() => undefined)
    return result
  }
}

function emptyRecord(): AskedRecord {
  return { days: new Map(), made: undefined }
}
function decode(bytes: Uint8Array): AskedRecord | undefined {
  let found: unknown
  try {
    found = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return undefined
  }
  if (!isObject(found) || !isObject(found['days'])) return undefined
  const days = Object.entries(found['days']).filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1]))
  if (days.length > MOST_FACTS) return undefined
  const made: unknown = found['made']
  const [validity, uid]: unknown[] = Array.isArray(made) ? made : []
  return { days: new Map(days), made: typeof validity === 'number' && typeof uid === 'number' ? [validity, uid] : undefined }
}
function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
