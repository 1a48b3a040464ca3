import type { Secret } from 'mailwright/api'
import { z } from 'zod'

/** An introspection endpoint (RFC 7662), and who is allowed to ask it. */
export interface Introspection {
  readonly url: string
  readonly clientId: string
  readonly clientSecret: Secret | undefined
}
const MAX_ANSWER_OCTETS = 256 * 1024
const answer = z.looseObject({ active: z.boolean() })

/** The claims of a token; undefined when it is not active. Whatever is no answer is thrown. */
export async function introspect(at: Introspection, token: string, signal: AbortSignal): Promise<Readonly<Record<string, unknown>> | undefined> {
  const form = encodeURIComponent
  const basic = `${form(at.clientId)}:${form(at.clientSecret === undefined ? '' : Buffer.from(at.clientSecret.reveal()).toString('utf8'))}`
  const response = await fetch(at.url, {
    method: 'POST',
    redirect: 'error',
    signal,
    headers: { accept: 'application/json', authorization: `Basic ${Buffer.from(basic).toString('base64')}` },
    body: new URLSearchParams({ token, token_type_hint: 'access_token' }),
  })
  const body = Buffer.from(await response.arrayBuffer())
  if (response.status !== 200) throw new Error(`answers with status ${response.status}`)
  if (body.length > MAX_ANSWER_OCTETS) throw new Error(`answers with ${body.length} octets`)
  const parsed = answer.safeParse(JSON.parse(body.toString('utf8')))
  if (!parsed.success) throw new Error('answers with something that is no introspection (RFC 7662)')
  return parsed.data.active ? parsed.data : undefined
}
