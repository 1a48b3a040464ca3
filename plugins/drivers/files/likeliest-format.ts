import type { FilePlace, MailboxFormat } from 'mailwright/api'

/** A format as the store knows it. */
interface Known {
  readonly made: MailboxFormat
}

/**
 * Whether a format reads as its own what it was taken for: it finds a message with a date, or nothing wrong. What stands at the beginning may have
 * become that of another format; then there is damage, and nothing but perhaps a text that looks like a message.
 */
export async function readsAsItsOwn({ made }: Known, place: FilePlace, signal: AbortSignal): Promise<boolean> {
  if (made.examine === undefined) return false
  let wrong = false
  for await (const one of made.examine(place, signal)) {
    if (one.kind === 'message' && one.date !== undefined) return true
    if (one.kind === 'damage') wrong = true
  }
  return !wrong
}

/**
 * The format that finds most messages in a file whose beginning is damaged, or in a folder that lacks what makes it a mailbox; with `dated` one that
 * finds more than texts which only look like messages.
 */
export async function likeliestFormat<F extends Known>(formats: Iterable<F>, place: FilePlace, dated: boolean, signal: AbortSignal): Promise<F | undefined> {
  let best: { readonly format: F; readonly messages: number } | undefined
  for (const format of formats) {
    if (format.made.examine === undefined) continue
    let messages = 0
    let dates = 0
    for await (const one of format.made.examine(place, signal)) {
      if (one.kind !== 'message') continue
      messages++
      if (one.date !== undefined) dates++
    }
    if (messages > (best?.messages ?? 0) && (!dated || dates > 0)) best = { format, messages }
  }
  return best?.format
}
