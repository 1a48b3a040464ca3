import type { CopyResult, ImapWriter, ResponseCode } from 'mailwright/api'

/** `COPYUID 38505 304,319:320 3956:3958` (RFC 4315 §3). */
export function copyUid(done: CopyResult): ResponseCode {
  return {
    name: 'COPYUID',
    write(out: ImapWriter) {
      out.raw(' ').number(done.uidValidity).raw(' ').set(done.from).raw(' ').set(done.to)
    },
  }
}
/** `* OK [CODE ...] text`, as a line of its own. */
export function okLine(out: ImapWriter, code: ResponseCode | undefined, text: string): void {
  out.raw('* OK ')
  if (code !== undefined) {
    out.raw(`[${code.name}`)
    code.write?.(out)
    out.raw('] ')
  }
  out.raw(text).endLine()
}
