import { ConnectionLost, MailError, ProtocolAbort, secret } from 'mailwright/api'
import type { Clock, Handover, Link, Logger, LoginGate, MailAccess, MaildropSource, Pop3Extension, Protocol, Secret } from 'mailwright/api'
import type { Folder } from './folder.js'
import { LocalFolders } from './local-folders.js'
import type { Folders, LocalParts } from './local-folders.js'
import { RemoteFolders } from './remote-folders.js'
import { Talk } from './talk.js'
import type { Said } from './talk.js'

/** What the sessions of a host share. */
export interface Pop2Parts extends LocalParts {
  readonly serverName: string
  readonly preloginMs: number
  readonly inactivityMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** Extensions of POP3, of which some take logins over. */
  readonly extensions: readonly Pop3Extension[]
}

type State = 'mbox' | 'item' | 'next'
const COMMANDS: Readonly<Record<State, readonly string[]>> = { mbox: ['FOLD', 'READ', 'QUIT'], item: ['FOLD', 'READ', 'RETR', 'QUIT'], next: ['ACKS', 'ACKD', 'NACK'] }
const WITHOUT_ARGUMENT: ReadonlySet<string> = new Set(['QUIT', 'RETR', 'ACKS', 'ACKD', 'NACK'])
const OUT_OF_SEQUENCE = 'Bogus or out of sequence command'
const uncancelled = new AbortController().signal

/** POP2 (RFC 937). Everything that is wrong ends the session; what was acknowledged is done at FOLD and QUIT alone. */
export class Pop2 implements Protocol {
  readonly #parts: Pop2Parts

  constructor(parts: Pop2Parts) {
    this.#parts = parts
  }

  async greet(link: Link, gate: LoginGate): Promise<Omit<Handover, 'sessionId' | 'host' | 'plan'> | undefined> {
    const { serverName, preloginMs, clock } = this.#parts
    const talk = new Talk(link, clock)
    return this.#talk(talk, undefined, async () => {
      // There is no TLS, and the password is in clear.
      if (gate.plaintext?.(link.peer) === false) throw new ProtocolAbort('POP2 server disabled on this system', 'Disabled')
      talk.line(`+ POP2 ${serverName} server ready`)
      const said = await talk.next(preloginMs)
      if (said === undefined) return undefined
      if (said.command === 'QUIT') {
        noArgument(said)
        talk.line('+ Sayonara')
        this.#log(talk, undefined, 'Logout')
        return undefined
      }
      if (said.command !== 'HELO') throw new ProtocolAbort(OUT_OF_SEQUENCE, 'Bad command')
      const [, user = '', password = ''] = /^ *(\S+) (.*)$/s.exec(said.rest) ?? []
      if (user === '' || password === '') throw new ProtocolAbort('Missing user or password', 'Bad command')
      // A backslash quotes the next character of the password.
      const credential = secret(Buffer.from(password.replaceAll(/\\(.)/gs, '$1')))
      const source = await this.#proxied(user, credential, talk)
      if (source !== undefined) {
        await this.#elsewhere(talk, user, source)
        return undefined
      }
      const outcome = await gate.password(user, credential, link.peer, link.signal)
      if (outcome.kind === 'out') throw new ProtocolAbort('Bad login', 'Login failed')
      return { login: outcome, peer: link.peer, client: { address: link.peer.address, id: new Map(), commands: [] }, unread: talk.rest(), slots: new Map() }
    })
  }

  async serve(link: Link, from: Handover, mail: MailAccess): Promise<'ended'> {
    const talk = new Talk(link, this.#parts.clock, from.unread)
    const holder = { idleMs: () => talk.idleMs(), giveWay: () => talk.interrupt(new ProtocolAbort('Killed (lost mailbox lock)', 'Killed (lost mailbox lock)')) }
    await this.#talk(talk, mail.user.name, () => this.#session(talk, mail.user.name, new LocalFolders(mail, holder, this.#parts)))
    return 'ended'
  }

  /** A login whose mail is on another server; undefined: it is one of this server. */
  async #proxied(user: string, password: Secret, { link }: Talk): Promise<MaildropSource | undefined> {
    for (const extension of this.#parts.extensions) {
      try {
        const source = await extension.password?.(user, password, { signal: link.signal })
        if (source !== undefined) return source
      } catch (error) {
        if (!(error instanceof MailError)) throw error
        throw new ProtocolAbort('Bad login', 'Error opening or locking INBOX', { cause: error })
      }
    }
    return undefined
  }
  async #elsewhere(talk: Talk, user: string, source: MaildropSource): Promise<void> {
    const folders = new RemoteFolders(source)
    try {
      await this.#talk(talk, user, () => this.#session(talk, user, folders))
    } finally {
      await folders.close(uncancelled)
    }
  }

  async #session(talk: Talk, user: string, folders: Folders): Promise<void> {
    const { signal } = talk.link
    let folder = await folders.open('INBOX', signal)
    let state: State = 'mbox'
    let current = 1
    this.#log(talk, user, 'Login', { nmsgs: folder?.count ?? 0 })
    talk.line(`#${folder?.count ?? 0} messages in ${folder?.name ?? '<none>'}`)
    /** Tells the size of the current message. */
    const offer = (): void => {
      const octets = folder?.octets(current) ?? 0
      state = octets === 0 ? 'mbox' : 'item'
      talk.line(octets === 0 ? '=0 No more messages' : `=${octets} characters in message ${current}`)
    }
    try {
      for (;;) {
        const said = await talk.next(this.#parts.inactivityMs)
        if (said === undefined) {
          this.#log(talk, user, 'Command stream end of file, while reading line')
          return
        }
        const { command } = said
        if (!COMMANDS[state].includes(command)) throw new ProtocolAbort(OUT_OF_SEQUENCE, 'Bad command')
        if (WITHOUT_ARGUMENT.has(command)) noArgument(said)
        if (command === 'FOLD') {
          const name = said.rest.trim()
          if (name === '') throw new ProtocolAbort('Missing mailbox name', 'Bad command')
          const before = folder
          folder = undefined
          await end(before, true)
          folder = await folders.open(name, signal)
          state = 'mbox'
          current = 1
          talk.line(`#${folder?.count ?? 0} messages in ${folder?.name ?? '<none>'}`)
        } else if (command === 'READ') {
          if (said.rest.trim() !== '') current = messageNumber(said.rest.trim())
          offer()
        } else if (command === 'RETR') {
          await folder?.send(current, talk, signal)
          state = 'next'
        } else if (command === 'QUIT') {
          const last = folder
          folder = undefined
          await end(last, true)
          talk.line('+ Sayonara')
          this.#log(talk, user, 'Logout')
          return
        } else {
          if (command !== 'NACK') folder?.markSeen(current)
          if (command === 'ACKD') folder?.markDeleted(current)
          if (command !== 'NACK') current++
          offer()
        }
      }
    } finally {
      await end(folder, false)
    }
  }

  /** Says why a session ends, where something can be said, and closes the link unless somebody is logged in. */
  async #talk<T>(talk: Talk, user: string | undefined, run: () => Promise<T>): Promise<T | undefined> {
    let result: T | undefined
    try {
      result = await run()
      if (user === undefined && result !== undefined) return result
    } catch (error) {
      if (error instanceof ProtocolAbort) {
        if (error.bye !== undefined) talk.line(`- ${error.bye}`)
        this.#log(talk, user, error.message, error.cause === undefined ? {} : { error: error.cause })
      } else if (error instanceof ConnectionLost) this.#log(talk, user, error.how === 'stopped' ? 'Killed' : 'Hangup')
      else {
        talk.line(error instanceof MailError ? '- Mailbox is not available now' : '- Internal error')
        this.#parts.logger.error('Session failed', { host: `[${talk.link.peer.address}]`, user, error })
      }
    }
    await talk.link.close()
    return result
  }
  #log(talk: Talk, user: string | undefined, event: string, facts: object = {}): void {
    const { peer } = talk.link
    this.#parts.logger.info(event, { user: user ?? '???', host: peer.name === undefined ? `[${peer.address}]` : `${peer.name} [${peer.address}]`, session: peer.session, ...facts })
  }
}

/** Closes a mailbox. With `apply` what was acknowledged becomes true before. */
async function end(folder: Folder | undefined, apply: boolean): Promise<void> {
  try {
    if (apply) await folder?.update(uncancelled)
  } finally {
    await folder?.close(uncancelled)
  }
}
function noArgument({ command, rest }: Said): void {
  if (rest.trim() !== '') throw new ProtocolAbort(`Bogus argument given to ${command}`, 'Bad command')
}
function messageNumber(word: string): number {
  if (!/^[1-9]\d{0,9}$/.test(word)) throw new ProtocolAbort('Invalid message number given to READ', 'Bad command')
  return Number(word)
}
