import type { PamAnswer, PamCalls, PamQuestion } from './calls.js'
import { PAM, type Converse, type Pam, type PamHandle } from './native.js'

/**
 * The sequence of a login: start, the client's address, authentication, account, credentials. No session is opened: the session runs in
 * another process. Every prompt that hides what is typed gets the password, every other one the name; a module that asks for anything else
 * is told that there is no conversation.
 */
export class PamChecks {
  readonly #pam: Pam
  readonly #open = new Map<number, PamHandle>()
  #last = 0
  constructor(pam: Pam) {
    this.#pam = pam
  }

  readonly calls: PamCalls = {
    check: (question) => this.#check(question),
    release: (handle) => this.#release(handle),
  }

  #check(question: PamQuestion): PamAnswer {
    const { service, folder, user, remoteHost } = question
    const messages: string[] = []
    const converse = conversation(question, messages)
    const { code, handle } = this.#pam.start(service, user, folder, converse)
    if (code !== PAM.success) return { step: 'start', code, words: this.#pam.words(handle, code), messages, user, handle: undefined }
    const { step, code: last } = this.#steps(handle, question, converse, remoteHost)
    const answer = { step, code: last, words: this.#pam.words(handle, last), messages, user: this.#pam.userOf(handle) ?? user }
    if (step === 'done' && question.credentials) {
      this.#open.set(++this.#last, handle)
      return { ...answer, handle: this.#last }
    }
    this.#pam.end(handle, last)
    return { ...answer, handle: undefined }
  }

  #steps(handle: PamHandle, { credentials }: PamQuestion, converse: Converse, remoteHost: string): Pick<PamAnswer, 'step' | 'code'> {
    const steps: readonly (readonly [PamAnswer['step'], () => number])[] = [
      ['start', () => this.#pam.setRemoteHost(handle, remoteHost)],
      ['authenticate', () => this.#pam.authenticate(handle, converse)],
      ['account', () => this.#pam.account(handle, converse)],
      ['credentials', () => (credentials ? this.#pam.credentials(handle, 'establish', converse) : PAM.success)],
    ]
    for (const [step, take] of steps) {
      const code = take()
      if (code !== PAM.success) return { step, code }
    }
    return { step: 'done', code: PAM.success }
  }

  #release(number: number): void {
    const handle = this.#open.get(number)
    if (handle === undefined) return
    this.#open.delete(number)
    const code = this.#pam.credentials(handle, 'delete', () => undefined)
    const words = this.#pam.words(handle, code)
    this.#pam.end(handle, code)
    if (code !== PAM.success) throw new Error(`credentials are not deleted: ${words}`)
  }
}

function conversation({ user, password }: PamQuestion, messages: string[]): Converse {
  return (asked) => {
    const answers: (Uint8Array | undefined)[] = []
    for (const { style, text } of asked) {
      if (style === PAM.promptEchoOff) answers.push(password)
      else if (style === PAM.promptEchoOn) answers.push(Buffer.from(user))
      else if (style === PAM.textInfo || style === PAM.errorMessage) {
        messages.push(text)
        answers.push(undefined)
      } else return undefined
    }
    return answers
  }
}
