import type { Clock, Files } from 'mailwright/api'

/** The file's change notices follow its name: when another inode takes the name, that one is watched. */
export class FileWatch implements Disposable {
  readonly #ctx: { readonly files: Files; readonly clock: Clock; readonly mailbox: { readonly pollMs: number } }
  readonly #path: string
  readonly #changed: () => void
  #inode = -1
  #notices: Disposable | undefined
  #ended = false
  constructor(ctx: { readonly files: Files; readonly clock: Clock; readonly mailbox: { readonly pollMs: number } }, path: string, changed: () => void) {
    this.#ctx = ctx
    this.#path = path
    this.#changed = changed
  }
  follow(inode: number): void {
    if (inode === this.#inode || this.#ended) return
    this.#inode = inode
    this.#notices?.[Symbol.dispose]()
    try {
      this.#notices = this.#ctx.files.watch(this.#path, this.#changed)
    } catch {
      // No such file yet, or no more notices to be had on this machine: it is looked at now and then.
      this.#poll()
    }
  }
  #poll(): void {
    this.#notices = this.#ctx.clock.after(this.#ctx.mailbox.pollMs, () => {
      if (this.#ended) return
      this.#inode = -1
      this.#changed()
      this.follow(0)
    })
  }
  [Symbol.dispose](): void {
    this.#ended = true
    this.#notices?.[Symbol.dispose]()
  }
}
