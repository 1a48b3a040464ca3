import type { MailUser } from 'mailwright/api'

/** What a directory or database says of an account, as text. */
export interface AccountFields {
  readonly name: string
  readonly home: string | undefined
  readonly uid: string | undefined
  readonly gid: string | undefined
  readonly groups?: readonly string[]
  readonly facts: Readonly<Record<string, string>>
}

/**
 * An account of such fields. One number without the other, or something that is no number, throws: mail would be touched with rights
 * that nobody meant.
 */
export function accountOf(f: AccountFields): MailUser {
  const number = (what: string, text: string): number => {
    if (!/^\d{1,10}$/.test(text)) throw new Error(`account ${JSON.stringify(f.name)} has a ${what} that is no number`)
    return Number(text)
  }
  if ((f.uid === undefined) !== (f.gid === undefined)) throw new Error(`account ${JSON.stringify(f.name)} has one of user and group number without the other`)
  if (f.home !== undefined && !f.home.startsWith('/')) throw new Error(`account ${JSON.stringify(f.name)} has a home that is no absolute path`)
  const ids = f.uid === undefined || f.gid === undefined ? undefined : { uid: number('user number', f.uid), gid: number('group number', f.gid), groups: [...new Set([f.gid, ...(f.groups ?? [])])].map((g) => number('group number', g)) }
  return { name: f.name, kind: 'account', ...(ids === undefined ? {} : { ids }), ...(f.home === undefined ? {} : { home: f.home }), facts: f.facts }
}
