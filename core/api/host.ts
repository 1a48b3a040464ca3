import { createToken, type OwnToken } from './kernel.js'
import type { LoginGate } from './auth.js'
import type { MailUser } from './mail/names.js'
import type { MailAccess } from './session.js'

/** The virtual host that a thing works for. */
export interface HostFacts {
  /** Key in the configuration. */
  readonly id: string
  /** Name for greetings, BYE lines, message ids and the pseudo-message. */
  readonly serverName: string
}
export const HOST: OwnToken<HostFacts, 'host'> = createToken<HostFacts>('host').in('host')

/** `hosts.*.mailbox`: what all drivers of a host share. Modes are permission bits. */
export interface MailboxSettings {
  readonly fileMode: number
  readonly directoryMode: number
  /** Template of the directory of cache, journal and sidecar: `{home}`, `{user}`. */
  readonly stateDirectory: string
  readonly defaultKeywords: readonly string[]
  readonly fromQuoting: 'all' | 'header-only'
  /** Flag changes of text formats are folded into the file after this time without a change, and at CHECK and close. */
  readonly checkpointDelayMs: number
  /** `full`: an acknowledged change is on the disk; `relaxed`: it is with the operating system. */
  readonly durability: 'full' | 'relaxed'
  /** How often a selected mailbox without change notices is looked at while a client idles. */
  readonly pollMs: number
  /** What becomes of an INBOX whose file is of no format: `empty`, read-only and with a warning; or it cannot be opened. */
  readonly invalidInbox: 'empty' | 'refuse'
  /** Whether envelopes and structures of a message are made when it arrives: where clients asked for them lately, always, or not before the first FETCH. */
  readonly makeOnArrival: 'asked' | 'always' | 'never'
}
/**
 * Folder of a user's caches, journals and sidecars; undefined when the template asks for a home that the user has not. A user name is
 * one component of it, whatever stands in the name.
 */
export function stateFolder(template: string, user: MailUser): string | undefined {
  if (template.includes('{home}') && user.home === undefined) return undefined
  const name = encodeURIComponent(user.name)
  const folder = template.replaceAll('{home}', () => user.home ?? '').replaceAll('{user}', () => (name === '.' || name === '..' ? `%2E${name.slice(1)}` : name))
  return folder.startsWith('/') ? folder.replaceAll(/\/{2,}/g, '/').replace(/\/+$/, '') : undefined
}
export const MAILBOX_SETTINGS: OwnToken<MailboxSettings, 'host'> = createToken<MailboxSettings>('settings.mailbox').in('host')

/** `hosts.*.files`: locks (spec of dot-lock, name lock and kernel locks). */
export interface LockSettings {
  readonly dotlock: boolean
  readonly dotlockTimeoutMs: number
  readonly dotlockMode: number
  /** Folder of the name locks, the same for all programs of the machine. */
  readonly lockDirectory: string
  readonly kernelLocks: readonly ('flock' | 'fcntl')[]
  readonly warnUnlocked: boolean
  /** Mail programs that have a mailbox open for writing are asked to give way (SIGUSR2, the "kiss of death" of the c-client family). */
  readonly askOwner: boolean
}
export const LOCK_SETTINGS: OwnToken<LockSettings, 'host'> = createToken<LockSettings>('settings.files').in('host')

/** `hosts.*.drivers.create` and `.empty`: names of formats. */
export interface FormatChoice {
  readonly create: string
  readonly empty: string
}
export const FORMAT_CHOICE: OwnToken<FormatChoice, 'host'> = createToken<FormatChoice>('settings.formats').in('host')

/** `hosts.*.imap`, less extensions. */
export interface ImapSettings {
  readonly greetingVersion: 'full' | 'none'
  readonly timeouts: {
    readonly preloginMs: number
    readonly inactivityMs: number
    readonly inputMs: number
    readonly alertMs: number
    readonly shutdownMs: number
    readonly idlePollMs: number
    readonly idleCheckpointMs: number
  }
  readonly alert: { readonly systemFile: string; readonly userFile: string }
  readonly shutdownFile: string
  /** 0: no limit. */
  readonly maxBadCommands: number
}
export const IMAP_SETTINGS: OwnToken<ImapSettings, 'host'> = createToken<ImapSettings>('settings.imap').in('host')

/** `hosts.*.pop3`, less extensions. */
export interface Pop3Settings {
  readonly greetingVersion: 'full' | 'none'
  readonly timeouts: {
    readonly preloginMs: number
    readonly inactivityMs: number
    /** A session that waits for its client for longer than this gives its maildrop up to another one. */
    readonly giveWayMs: number
  }
  /** Messages are sent with a `Status:` line at the end of their header. */
  readonly statusHeader: boolean
  /** QUIT also removes what was flagged \\Deleted by others, once something was deleted here. */
  readonly expungeFlagged: boolean
  /** Announced as LOGIN-DELAY; 0: not announced. */
  readonly loginDelayMs: number
  /** A login before the announced time has passed is refused. */
  readonly enforceLoginDelay: boolean
  /** Days after which the site removes mail (EXPIRE of RFC 2449 §6.7); undefined: not announced. */
  readonly expire: number | 'never' | undefined
  /** Whoever started a server for one connection is offered to be that account (EXTERNAL). */
  readonly externalForOwner: boolean
}
export const POP3_SETTINGS: OwnToken<Pop3Settings, 'host'> = createToken<Pop3Settings>('settings.pop3').in('host')

/** `hosts.*.compat`. */
export interface CompatSettings {
  /** Wording of replies and log lines where the releases of the UW servers differ: as their FAQ quotes it, or as the last one has it. */
  readonly dialect: 'faq' | 'late'
}
export const COMPAT_SETTINGS: OwnToken<CompatSettings, 'host'> = createToken<CompatSettings>('settings.compat').in('host')

/** `hosts.*.auth.names`: what account a login name means. */
export interface LoginNameSettings {
  readonly lowerCase: boolean
  /** Domains that are left out, in lower case; `*`: any. */
  readonly stripDomains: readonly string[]
  /** For names without one. */
  readonly addDomain: string | undefined
  /** Account by login name. */
  readonly aliases: Readonly<Record<string, string>>
}
/** `hosts.*.auth`, less the plugins. */
export interface AuthSettings {
  /** Absent: names are accounts as they are typed. */
  readonly names?: LoginNameSettings
  readonly plaintext: 'encrypted-only' | 'always' | 'never'
  readonly maxAttempts: number
  readonly failureDelayMs: number
}
export const AUTH_SETTINGS: OwnToken<AuthSettings, 'host'> = createToken<AuthSettings>('settings.auth').in('host')

/** Who may come in; made of the host's mechanisms, backends, directories and policies. */
export const LOGIN_GATE: OwnToken<LoginGate, 'host'> = createToken<LoginGate>('login-gate').in('host', ['auth'])
/** Opens the mail of a login; made of the host's stores, layers, resolvers and policies. */
export interface MailDoor {
  /** Disposing of the access closes its views and stores. */
  open(user: MailUser, signal: AbortSignal): Promise<MailAccess & AsyncDisposable>
}
export const MAIL_DOOR: OwnToken<MailDoor, 'host'> = createToken<MailDoor>('mail-door').in('host', ['mail'])
