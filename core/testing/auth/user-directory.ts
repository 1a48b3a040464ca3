import type { UserDirectory } from '../../api/auth.js'
import { must, mustEqual } from '../expecting.js'
import { describeCases, HOSTILE_NAMES, patient, settled, type AuthCase } from './auth-case.js'

/** A directory, and what the kit must know to test it. */
export interface DirectoryUnderTest {
  readonly directory: UserDirectory
  /** Accounts that exist, at least one. */
  readonly known: readonly string[]
  /** Names that do not exist; empty for a directory in which every name is somebody (a template). */
  readonly unknown: readonly string[]
  /** The same directory while whatever it asks cannot be reached; absent where nothing can fail. */
  readonly broken?: UserDirectory
  /** All homes are below this folder. */
  readonly homesBelow?: string
}

/** What every user directory must do. */
export const userDirectoryCases: readonly AuthCase<DirectoryUnderTest>[] = [
  {
    id: 'known',
    title: 'accounts are found, with an absolute home and whole ids',
    async run({ directory, known }) {
      for (const name of known) {
        const user = await directory.find(name, patient())
        must(user !== undefined, `${name} must be found`)
        must(user.kind === 'account' && user.name !== '', `${name} must be an account with a name`)
        must(user.home === undefined || user.home.startsWith('/'), `the home of ${name} must be an absolute path`)
        const { ids } = user
        must(ids === undefined || [ids.uid, ids.gid, ...ids.groups].every((id) => Number.isInteger(id) && id >= 0 && id < 2 ** 32), `the ids of ${name} must be numbers of the system`)
        must(Object.values(user.facts).every((fact) => typeof fact === 'string'), 'facts must be text: they cross processes')
      }
    },
  },
  {
    id: 'unknown',
    title: 'nobody else is found',
    unless: (u) => (u.unknown.length === 0 ? 'every name is somebody' : undefined),
    async run({ directory, unknown }) {
      for (const name of unknown) mustEqual(await directory.find(name, patient()), undefined, `${name} must not be found`)
    },
  },
  {
    id: 'hostile-names',
    title: 'no name is anything but a name, and none leads out of the homes',
    async run({ directory, known, homesBelow }) {
      for (const name of HOSTILE_NAMES) {
        const outcome = await settled(() => directory.find(name, patient()))
        must('value' in outcome, `the name ${JSON.stringify(name)} must be answered, not thrown at: ${'error' in outcome ? String(outcome.error) : ''}`)
        const user = outcome.value
        if (user === undefined) continue
        must(!known.includes(user.name), `the name ${JSON.stringify(name)} must not be ${user.name}`)
        must(homesBelow === undefined || (user.home?.startsWith(`${homesBelow}/`) === true && !user.home.includes('/..')), `the home of ${JSON.stringify(name)} must be below ${homesBelow ?? ''}`)
      }
    },
  },
  {
    id: 'same',
    title: 'asked twice it says the same, and side by side each gets their own',
    async run({ directory, known }) {
      const names = Array.from({ length: 20 }, (_, i) => known[i % known.length] ?? '')
      const all = await Promise.all(names.map((name) => directory.find(name, patient())))
      for (const [i, name] of names.entries()) mustEqual(all[i], await directory.find(name, patient()), `${name} must be the same every time`)
    },
  },
  {
    id: 'outage',
    title: 'an outage is thrown: it is not that nobody is there',
    unless: (u) => (u.broken === undefined ? 'nothing it asks can fail' : undefined),
    async run({ broken, known }) {
      for (const name of [known[0] ?? '', 'nobody-of-this-name']) {
        const outcome = await settled(() => broken?.find(name, patient()) ?? Promise.resolve(undefined))
        must('error' in outcome, `while it cannot be asked, ${name} must not be answered`)
      }
    },
  },
]

/** Runs the contract of a user directory as a vitest suite. */
export function describeUserDirectory(name: string, under: () => DirectoryUnderTest | Promise<DirectoryUnderTest>): void {
  describeCases(`user directory ${name}`, userDirectoryCases, under)
}
